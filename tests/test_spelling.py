"""The nearest right spelling: found where a word means a field, and not made up where it means none."""

import pytest

from nnjax.config import field_names
from nnjax.spelling import ALIASES, nearest

FLAGS = [f"--{name}" for name in (*field_names(), "config", "axes", "output", "overwrite", "dry-run", "help")]
AXES = [*FLAGS, *(f"--axes.{name}" for name in field_names())]
CHECK = ["--of", "--wrt", "--shape", "--form", "--points", "--seed"]

# What people write for the name of a field, as a flag; None: nothing is meant that there is.
MEANT = {
    "lr": "learning_rate",
    "LR": "learning_rate",
    "learning-rate": "learning_rate",
    "learningRate": "learning_rate",
    "LearningRate": "learning_rate",
    "learningrate": "learning_rate",
    "learn_rate": "learning_rate",
    "learning": "learning_rate",
    "learnin_rate": "learning_rate",
    "learnign_rate": "learning_rate",
    "eta": "learning_rate",
    "step_size": "learning_rate",
    "learning_rate_init": "learning_rate",
    "wd": "weight_decay",
    "l2": "weight_decay",
    "alpha": "weight_decay",
    "weightDecay": "weight_decay",
    "weight-decay": "weight_decay",
    "decay": "weight_decay",
    "bs": "batch_size",
    "batch": "batch_size",
    "batchSize": "batch_size",
    "minibatch_size": "batch_size",
    "act": "activation",
    "activation_function": "activation",
    "act_fn": "activation",
    "nonlinearity": "activation",
    "opt": "optimizer",
    "optim": "optimizer",
    "optimiser": "optimizer",
    "solver": "optimizer",
    "hidden_sizes": "hidden",
    "hidden_layer_sizes": "hidden",
    "hidden-layers": "hidden",
    "layers": "hidden",
    "width": "hidden",
    "hiden": "hidden",
    "mom": "momentum",
    "momemtum": "momentum",
    "mu": "momentum",
    "beta": "momentum",
    "epoch": "epochs",
    "n_epochs": "epochs",
    "num_epochs": "epochs",
    "max_iter": "epochs",
    "seed": "seeds",
    "random_state": "seeds",
    "num_seeds": "seeds",
    "dataset": "data.name",
    "data_dir": "data.dir",
    "dir": "data.dir",
    "data-dir": "data.dir",
    "val_fraction": "data.valid_fraction",
    "validation_fraction": "data.valid_fraction",
    "valid_fraction": "data.valid_fraction",
    "val_split": "data.valid_fraction",
    "data.nam": "data.name",
    "dropout_rate": "dropout",
    "p": "dropout",
    "drop": "dropout",
    "lr_schedule": "schedule",
    "scheduler": "schedule",
    "lr_scheduler": "schedule",
    "warmup": "warmup_epochs",
    "loss_fn": "loss",
    "criterion": "loss",
    "initializer": "init",
    "initialisation": "init",
    "weight_init": "init",
    "architecture": "model",
    "out": "output",
    "output_dir": "output",
    "force": "overwrite",
    "cfg": "config",
    "conf": "config",
    "dry_run": "dry-run",
    "dryrun": "dry-run",
    "residuals": "residual",
    "skip_connections": "residual",
    "slope": "activation_slope",
    "axis": "axes",
    "list": None,
    "xyz": None,
    "verbose": None,
    "gpu": None,
    "device": None,
    "rate": None,
    "size": None,
    "name": "data.name",
    "number": None,
    "test": None,
    "run": None,
    "print": None,
    "port": None,
    "host": None,
    "debug": None,
    "version": None,
    "workers": None,
    "a": None,
    "": None,
    "5": None,
    "patience": "patience",
    "clip": None,
    "gamma": None,
    "beta2": "beta_2",
    "quiet": None,
    "loose": None,
    "date": None,
    "x" * 10**6: None,
    "\u00e9poque": None,
}


@pytest.mark.parametrize("word", MEANT, ids=lambda word: word[:20])
@pytest.mark.parametrize("known", [FLAGS, AXES], ids=["train", "sweep"])
def test_a_flag_that_is_meant_is_found_and_none_is_made_up(word, known):
    meant = MEANT[word]
    assert nearest(f"--{word}", known) == (f"; did you mean '--{meant}'?" if meant else "")


@pytest.mark.parametrize("word", [word for word, meant in MEANT.items() if meant in field_names()])
def test_a_field_is_found_as_its_flag_is(word):
    assert nearest(word, field_names()) == f"; did you mean {MEANT[word]!r}?"
    if "." not in MEANT[word]:
        assert nearest(f"--axes.{word}", AXES) == f"; did you mean '--axes.{MEANT[word]}'?"


WORDS = {
    ("rely", ("identity", "sigmoid", "scaled_sigmoid", "tanh", "relu", "leaky_relu", "gelu")): "relu",
    ("ReLU", ("identity", "relu", "leaky_relu", "gelu")): "relu",
    ("lrelu", ("identity", "relu", "leaky_relu", "gelu")): "leaky_relu",
    ("LeakyReLU", ("identity", "relu", "leaky_relu", "gelu")): "leaky_relu",
    ("linear", ("identity", "relu", "leaky_relu", "gelu")): "identity",
    ("logistic", ("identity", "sigmoid", "scaled_sigmoid")): "sigmoid",
    ("elu", ("identity", "relu", "leaky_relu", "gelu")): None,
    ("selu", ("identity", "relu", "leaky_relu", "gelu")): None,
    ("silu", ("identity", "relu", "leaky_relu", "gelu")): None,
    ("mae", ("cross_entropy", "mse", "mse_probabilities", "binary_cross_entropy")): None,
    ("ce", ("cross_entropy", "mse", "mse_probabilities", "binary_cross_entropy")): "cross_entropy",
    ("bce", ("cross_entropy", "mse", "mse_probabilities", "binary_cross_entropy")): "binary_cross_entropy",
    ("crossentropy", ("cross_entropy", "mse", "binary_cross_entropy")): "cross_entropy",
    ("CrossEntropyLoss", ("cross_entropy", "mse", "binary_cross_entropy")): "cross_entropy",
    ("MSELoss", ("cross_entropy", "mse", "mse_probabilities", "binary_cross_entropy")): "mse",
    ("adan", ("sgd", "adam", "adamw")): "adam",
    ("AdamW", ("sgd", "adam", "adamw")): "adamw",
    ("nadam", ("sgd", "adam", "adamw")): None,
    ("rmsprop", ("sgd", "adam", "adamw")): None,
    ("lion", ("sgd", "adam", "adamw")): None,
    ("sdg", ("sgd", "adam", "adamw")): "sgd",
    ("mpl", ("mlp", "softmax_regression")): "mlp",
    ("softmax", ("mlp", "softmax_regression")): "softmax_regression",
    ("logistic_regression", ("mlp", "softmax_regression")): "softmax_regression",
    ("cnn", ("mlp", "softmax_regression")): None,
    ("mnits", ("digits", "mnist", "fashion_mnist", "kmnist")): "mnist",
    ("MNIST", ("digits", "mnist", "fashion_mnist", "kmnist")): "mnist",
    ("fashion-mnist", ("digits", "mnist", "fashion_mnist", "kmnist")): "fashion_mnist",
    ("FashionMNIST", ("digits", "mnist", "fashion_mnist", "kmnist")): "fashion_mnist",
    ("fashion", ("digits", "mnist", "fashion_mnist", "kmnist")): "fashion_mnist",
    ("emnist", ("digits", "mnist", "fashion_mnist", "kmnist")): None,
    ("cifar10", ("digits", "mnist", "fashion_mnist", "kmnist")): None,
    ("iris", ("digits", "mnist", "fashion_mnist", "kmnist")): None,
    ("cvs", ("auto", "idx", "csv", "tfds")): "csv",
    ("off", ("constant", "linear", "cosine", "exponential", "step")): None,
    ("none", ("constant", "linear", "cosine", "exponential", "step")): None,
    ("cos", ("constant", "linear", "cosine", "exponential", "step")): "cosine",
    ("exp", ("constant", "linear", "cosine", "exponential", "step")): "exponential",
    ("norml", ("zeros", "constant", "normal", "uniform", "xavier_normal")): "normal",
    ("kaiming_normal", ("normal", "xavier_normal", "he_uniform", "he_normal")): "he_normal",
    ("glorot_uniform", ("uniform", "xavier_uniform", "he_uniform", "he_normal")): "xavier_uniform",
    ("trian", ("train", "sweep", "check")): "train",
    ("train_loss", ("training_loss", "test_accuracy")): "training_loss",
    ("epochs", ("epoch", "learning_rate", "seed")): "epoch",
    ("bset", ("best", "last")): "best",
    ("--list", tuple(CHECK)): None,
    ("--forms", tuple(CHECK)): "--form",
    ("--shapes", tuple(CHECK)): "--shape",
    ("-of", tuple(CHECK)): "--of",
    ("mlp", ()): None,
}


@pytest.mark.parametrize("case", WORDS, ids=lambda case: str(case[0]))
def test_a_word_that_is_meant_is_found_and_none_is_made_up(case):
    word, known = case
    assert nearest(word, known) == (f"; did you mean {WORDS[case]!r}?" if WORDS[case] else "")


@pytest.mark.parametrize("word", [3, None, 0.1, [1, 2], {"mlp": 1}], ids=str)
def test_what_is_no_word_means_none(word):
    assert nearest(word, ["none", "mlp", "3"]) == ""


def test_a_word_that_may_be_two_is_neither():
    assert nearest("trein", ["train", "treib"]) == ""
    assert nearest("sl", ["short_list", "small_loss"]) == ""


def test_every_alias_leads_to_a_name_that_there_is():
    fields = {name.rpartition(".")[2] for name in field_names()} | set(field_names())
    flags = {"config", "output", "overwrite"}
    words = {"identity", "sigmoid", "leaky_relu", "softmax_regression"}
    for alias, meant in ALIASES.items():
        assert meant in fields | flags | words, alias
        assert alias == alias.lower()
