"""Training held against the NumPy reference, and what an epoch records, keeps and refuses to go on with."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.typing import DTypeLike

import reference
from nnjax.config import Config
from nnjax.data.batches import SHORT, Batch, Splits, take_batch
from nnjax.nn.activations import ACTIVATIONS
from nnjax.nn.matmul import product
from nnjax.nn.models import param_shapes
from nnjax.nn.networks import MLP
from nnjax.tasks import TASKS
from nnjax.training import evaluation
from nnjax.training.epoch import NORM_EVERY, norm_spacing, run_epoch, train_epoch
from nnjax.training.hyper import Hyperparameters
from nnjax.training.metrics import Values
from nnjax.training.start import RunState, init_state, run_keys
from nnjax.training.step import StepMetrics, TrainState, train_step
from nnjax.training.structure import Structure, hyperparameters
from nnjax.types import Examples

pytestmark = pytest.mark.usefixtures("x64")

TOLERANCE = 1e-10

STANDARD = Config(
    hidden=(6, 6),
    activation="tanh",
    learning_rate=0.03,
    weight_decay=0.1,
    momentum=0.9,
    batch_size=5,
    epochs=3,
)


@dataclasses.dataclass(frozen=True)
class Case:
    """A run about to start, on made-up data whose inputs are stored in units of ``scale``."""

    config: Config
    structure: Structure
    hyper: Hyperparameters
    splits: Splits
    params: Any

    @property
    def state(self) -> RunState:
        return init_state(self.structure, self.params, self.hyper)

    def order(self, epoch: int = 0) -> jax.Array:
        """A permutation in rows of B, filled up with N."""
        examples, size = len(self.splits.train.y), self.config.batch_size
        order = np.full(-(-examples // size) * size, examples)
        order[:examples] = np.random.default_rng(100 + epoch).permutation(examples)
        return jnp.asarray(order.reshape(-1, size))

    def reference(self) -> reference.Network:
        return reference.Network(self.config, self.params, len(self.order()))

    @property
    def train_xy(self) -> tuple[np.ndarray, np.ndarray]:
        return _unit(self.splits.train, self.splits.scale)

    @property
    def valid_xy(self) -> tuple[np.ndarray, np.ndarray]:
        return _unit(self.splits.valid, self.splits.scale)


def _unit(examples: Examples, scale: jax.Array) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(examples.x, np.float64) / float(scale), np.asarray(examples.y)


def make_case(
    config: Config, *, examples: int = 37, inputs: int = 4, classes: int = 3, images: bool = False, seed: int = 0
) -> Case:
    """A case in float64; 37 examples in batches of 5 leave 2 for the last, in batches of 2 they make 19 steps."""
    rng = np.random.default_rng(seed)

    def split(count: int) -> Examples:
        x = rng.integers(0, 256, (count, inputs), np.uint8) if images else 2.5 * rng.normal(size=(count, inputs))
        return Examples(jnp.asarray(x), jnp.asarray(rng.integers(0, classes, count), jnp.int32))

    structure = Structure.of(config, classes, inputs)
    shapes = param_shapes(structure.network, inputs, jnp.float64)
    return Case(
        config,
        structure,
        to_jax(hyperparameters(config, structure, examples, np.float64)),
        Splits(split(examples), split(11), jnp.asarray(255.0 if images else 2.5)),
        jax.tree.map(lambda leaf: jnp.asarray(rng.normal(scale=0.7, size=leaf.shape)), shapes),
    )


def to_jax(tree: Any) -> Any:
    return jax.tree.map(jnp.asarray, tree)


@functools.cache
def epochs_function(structures: tuple[Structure, ...]) -> Callable[..., Any]:
    """An epoch of several networks in one program, which compiles far sooner than a program each."""

    @jax.jit
    def epochs(arguments: list[tuple]) -> list[tuple[TrainState, Values, jax.Array]]:
        pairs = zip(structures, arguments, strict=True)
        return [(*train_epoch(structure, *inputs), weight(*inputs[-2:])) for structure, inputs in pairs]

    def weight(order: jax.Array, splits: Splits) -> jax.Array:
        """What the examples of an epoch's batches weigh together."""
        return jax.vmap(lambda index: take_batch(splits.train, index, splits.scale).weight)(order).sum()

    return epochs


def epoch_function(structure: Structure) -> Callable[..., tuple[TrainState, Values]]:
    return lambda *inputs: epochs_function((structure,))([inputs])[0][:2]


@functools.cache
def run_epoch_function(structure: Structure) -> Callable[..., tuple[RunState, Values]]:
    return jax.jit(functools.partial(run_epoch, structure))


@functools.cache
def step_function(structure: Structure) -> Callable[..., tuple[TrainState, StepMetrics]]:
    return jax.jit(functools.partial(train_step, structure))


@functools.cache
def evaluate_function(structure: Structure) -> Callable[..., Values]:
    return jax.jit(functools.partial(evaluation.evaluate, structure))


@functools.cache
def run_test_function(structure: Structure) -> Callable[..., Values]:
    return jax.jit(functools.partial(evaluation.test, structure))


def deviations(
    cases: Sequence[Case], epochs: int = 1, masks: Callable[[int, int], Sequence[np.ndarray]] | None = None
) -> list[float]:
    """How far nnjax and the reference come apart in parameters or metrics over some epochs, for each case."""
    run = epochs_function(tuple(case.structure for case in cases))
    states = jax.jit(lambda: [case.state.train for case in cases])()
    networks = [case.reference() for case in cases]
    found: list[list[float]] = [[] for _ in cases]
    # optax's Adam raises a float to an integer power, which is not strict.
    adam = any(case.config.optimizer != "sgd" for case in cases)
    for epoch in range(epochs):
        orders = [case.order(epoch) for case in cases]
        inputs = zip(states, (case.hyper for case in cases), orders, (case.splits for case in cases), strict=True)
        with jax.numpy_dtype_promotion("standard" if adam else "strict"):
            results = run([(state, hyper, DROPOUT_KEY, order, splits) for state, hyper, order, splits in inputs])
        states = [state for state, *_ in results]
        for place, (state, metrics, weight) in enumerate(results):
            network, (x, y) = networks[place], cases[place].train_xy
            batches = reference.real_places(orders[place], len(y))
            expected = network.train_epoch(x, y, batches, masks, norm_spacing(len(batches)))
            found[place] += [
                reference.tree_deviation(state.params, network.tree),
                *(reference.deviation(metrics[name], getattr(expected, name)) for name in STANDARD_METRICS),
                reference.deviation(weight, len(y)),
                reference.deviation(state.step, network.step),
            ]
    return [float(np.max(values)) for values in found]


def variants(field: str, values: Sequence[Any], config: Config = STANDARD) -> list[Case]:
    """Cases that differ in one field."""
    return [make_case(dataclasses.replace(config, **{field: value})) for value in values]


DROPOUT_KEY = jax.random.key(7)

STANDARD_METRICS = ["loss", "accuracy", "grad_norm", "update_ratio"]


# One epoch equals the reference.


def test_an_epoch_equals_the_reference_for_each_activation() -> None:
    config = dataclasses.replace(STANDARD, activation_slope=1.7)
    found = deviations(variants("activation", list(ACTIVATIONS), config))
    assert max(found) <= TOLERANCE, dict(zip(ACTIVATIONS, found, strict=True))


def test_an_epoch_equals_the_reference_for_each_loss() -> None:
    losses = TASKS["classification"].losses
    found = deviations(variants("loss", list(losses), dataclasses.replace(STANDARD, activation="tanh")))
    assert max(found) <= TOLERANCE, dict(zip(losses, found, strict=True))


@pytest.mark.parametrize(
    "optimizers",
    [
        [{"momentum": 0.0}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}],
        [{"optimizer": "adam", "momentum": 0.0}, {"optimizer": "adamw", "momentum": 0.0}],
    ],
    ids=["sgd", "adam"],
)
@pytest.mark.parametrize("rates", [(), (0.3, 0.0, 2.0)], ids=["even", "uneven"])
def test_epochs_equal_the_reference_for_each_optimizer_with_and_without_layer_rates(
    optimizers: list[dict[str, Any]], rates: tuple[float, ...]
) -> None:
    config = dataclasses.replace(STANDARD, batch_size=2, layer_rates=rates)
    cases = [make_case(dataclasses.replace(config, **optimizer)) for optimizer in optimizers]
    assert max(deviations(cases, epochs=2)) <= TOLERANCE


@pytest.mark.parametrize("warmup", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(("end", "steps"), [(0.1, 1), (0.1, 3), (1.5, 3)])
def test_epochs_equal_the_reference_for_each_schedule_with_and_without_warmup(
    warmup: float, end: float, steps: int
) -> None:
    config = dataclasses.replace(STANDARD, warmup_epochs=warmup, schedule_end=end, schedule_steps=steps)
    cases = variants("schedule", ["constant", "linear", "cosine", "exponential", "step"], config)
    assert max(deviations(cases, epochs=config.epochs)) <= TOLERANCE


def test_an_epoch_equals_the_reference_with_residual_connections() -> None:
    """The first hidden layer adds nothing, even where it is as wide as the input; nor does one of a new width."""
    cases = []
    for hidden in ((), (6,), (4, 4, 4), (4, 5, 5, 4, 4), (3,) * 12):
        rates = tuple(0.1 + 0.1 * layer for layer in range(len(hidden) + 1))
        cases.append(make_case(dataclasses.replace(STANDARD, hidden=hidden, residual=True, layer_rates=rates)))
    assert cases[0].splits.train.x.shape[1] == 4
    assert max(deviations(cases)) <= TOLERANCE


@pytest.mark.parametrize("relu_logits", [False, True])
def test_an_epoch_of_softmax_regression_equals_the_reference_for_each_loss(relu_logits: bool) -> None:
    config = dataclasses.replace(STANDARD, model="softmax_regression", relu_logits=relu_logits)
    assert max(deviations(variants("loss", list(TASKS["classification"].losses), config))) <= TOLERANCE


def test_an_epoch_on_bytes_equals_the_reference() -> None:
    assert max(deviations([make_case(STANDARD, images=True)])) <= TOLERANCE


ANY_NETWORK = st.fixed_dictionaries(
    {
        "hidden": st.lists(st.integers(1, 4), max_size=3).map(tuple),
        "batch_size": st.integers(1, 9),
        "activation": st.sampled_from(["sigmoid", "gelu"]),
        "loss": st.sampled_from(["cross_entropy", "mse_probabilities"]),
        "residual": st.booleans(),
    }
)
ANY_DATA = st.fixed_dictionaries(
    {
        "examples": st.integers(1, 9),
        "inputs": st.integers(1, 4),
        "classes": st.integers(1, 4),
        "seed": st.integers(0, 99),
    }
)


@hypothesis.settings(max_examples=2)
@hypothesis.given(drawn=st.lists(st.tuples(ANY_NETWORK, ANY_DATA), min_size=5, max_size=5))
def test_an_epoch_equals_the_reference_for_any_shapes(drawn: list[tuple[dict[str, Any], dict[str, int]]]) -> None:
    cases = [make_case(dataclasses.replace(STANDARD, **changes), **data) for changes, data in drawn]
    assert max(deviations(cases)) <= TOLERANCE


# Dropout.


def dropout_masks(case: Case, step: int, batch: int) -> list[np.ndarray]:
    """The masks of a step, read off networks of the same shape in which they are all that is left to see.

    In the probe for layer i that layer puts out ones, dropout makes them m_i / (1 − p), and the layer after it,
    an identity, shows them.
    """
    hidden, width = case.config.hidden, case.config.hidden[-1]
    probe = MLP(hidden, width, ACTIVATIONS["identity"])
    masks = []
    for layer in range(len(hidden)):
        params = {
            f"Dense_{i}": {"kernel": np.eye(width) * (i == layer + 1), "bias": np.full(width, float(i == layer))}
            for i in range(len(hidden) + 1)
        }
        _, seen = probe.apply(
            {"params": to_jax(params)},
            jnp.zeros((case.config.batch_size, width)),
            dropout=case.hyper.dropout,
            rngs={"dropout": jax.random.fold_in(DROPOUT_KEY, step)},
            capture_intermediates=True,
            mutable=["intermediates"],
        )
        masks.append(np.asarray(seen["intermediates"][f"Dense_{layer + 1}"]["__call__"][0])[:batch])
    return masks


@pytest.mark.parametrize("residual", [False, True])
def test_epochs_with_dropout_equal_the_reference_under_the_same_masks(residual: bool) -> None:
    config = dataclasses.replace(STANDARD, dropout=0.4, residual=residual)
    case = make_case(config, examples=13)

    def masks(step: int, batch: int) -> list[np.ndarray]:
        drawn = dropout_masks(case, step, batch)
        assert {*np.unique(drawn)} == {0, 1 / 0.6}
        assert not np.array_equal(drawn[0], drawn[1]), "the layers have masks of their own"
        return drawn

    assert max(deviations([case], epochs=2, masks=masks)) <= TOLERANCE


def test_no_dropout_and_no_momentum_are_the_same_as_both_at_zero() -> None:
    plain = make_case(dataclasses.replace(STANDARD, momentum=0.0))
    assert not plain.structure.use_momentum
    assert not plain.structure.use_dropout
    both = dataclasses.replace(plain.structure, use_momentum=True, use_dropout=True)
    states = []
    for structure in (plain.structure, both):
        state = init_state(structure, plain.params, plain.hyper).train
        run = epoch_function(structure)
        states.append(run(state, plain.hyper, DROPOUT_KEY, plain.order(), plain.splits)[0])
    assert reference.tree_deviation(states[0].params, states[1].params) <= 1e-14


def test_evaluation_is_without_dropout() -> None:
    case = make_case(dataclasses.replace(STANDARD, dropout=0.4))
    found = evaluate_function(case.structure)(case.params, case.hyper, case.splits.valid, case.splits.scale)
    assert reference.deviation(both(found), case.reference().evaluate(*case.valid_xy)) <= TOLERANCE


# Steps, batches, keys.


@pytest.mark.parametrize(
    ("steps", "spacing"), [(1, 1), (31, 31), (63, 63), (64, 32), (67, 34), (750, 33), (3201, 33)]
)
def test_measured_steps_are_evenly_spaced(steps: int, spacing: int) -> None:
    assert norm_spacing(steps) == spacing


def test_norms_are_means_over_the_measured_steps() -> None:
    """An epoch long enough that two steps are measured, 0 and 34; other steps than those would show."""
    case = make_case(dataclasses.replace(STANDARD, batch_size=1), examples=2 * NORM_EVERY + 3)
    batches = reference.real_places(case.order(), len(case.train_xy[1]))
    means = [
        case.reference().train_epoch(*case.train_xy, batches, norm_every=spacing).grad_norm
        for spacing in (1, NORM_EVERY, 34, len(batches))
    ]
    assert min(np.diff(sorted(means))) > 1e-3
    assert max(deviations([case])) <= TOLERANCE


@pytest.mark.parametrize("scale", [8.0, 255.0])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_a_batch_is_divided_by_the_scale_in_its_dtype_and_weighs_its_examples(
    dtype: DTypeLike, scale: float
) -> None:
    x = np.arange(12, dtype=dtype).reshape(4, 3)
    examples = Examples(jnp.asarray(x), jnp.arange(4, dtype=jnp.int32))
    batch = take_batch(examples, jnp.asarray([2, 0, 4, 4]), jnp.asarray(scale))
    assert batch.x.dtype == jnp.float64
    np.testing.assert_allclose(batch.x[:2], x[[2, 0]] / np.float64(scale), rtol=1e-15)
    np.testing.assert_array_equal(batch.y[:2], [2, 0])
    np.testing.assert_array_equal(batch.weight, [1, 1, 0, 0])


@pytest.mark.parametrize("copies", [1, SHORT])
def test_inputs_that_are_not_finite_stay_so(copies: int) -> None:
    stored = np.array([[np.nan, np.inf, -np.inf, -2.0] * copies], np.float32)
    examples = Examples(jnp.asarray(stored), jnp.zeros(1, jnp.int32))
    batch = take_batch(examples, jnp.asarray([0]), jnp.asarray(8.0, jnp.float32))
    np.testing.assert_array_equal(batch.x, stored / 8)


@pytest.mark.usefixtures("on_cpu", "as_users_have_it")
@pytest.mark.parametrize("inputs", [16, SHORT, SHORT + 1, 784])
def test_bytes_of_long_examples_alone_are_copied_before_they_are_converted(inputs: int) -> None:
    examples = Examples(jnp.zeros((100, inputs), jnp.uint8), jnp.zeros(100, jnp.int32))

    def slope(w: jax.Array, index: jax.Array) -> jax.Array:
        x = take_batch(examples, index, jnp.asarray(255, w.dtype)).x
        return jax.grad(lambda w: jnp.sum(jnp.tanh(product(x, w))))(w)

    program = jax.jit(slope).lower(jnp.ones((inputs, 20), jnp.float32), jnp.zeros(32, jnp.int32)).compile()
    assert ("= u8[32" in program.as_text().split("ENTRY")[1]) == (inputs > SHORT)


def test_a_place_without_example_adds_nothing_even_where_its_loss_is_infinite() -> None:
    """Such a place is filled with the last example, whose loss overflows here."""
    case = make_case(dataclasses.replace(STANDARD, loss="mse", hidden=(6,), activation="identity"))
    huge = case.splits.train.x.at[-1].set(1e200)
    splits = case.splits._replace(train=case.splits.train._replace(x=huge))
    batch = take_batch(splits.train, jnp.asarray([3, 8, 37, 37, 37]), splits.scale)
    state, metrics = step_function(case.structure)(case.state.train, batch, case.hyper, DROPOUT_KEY)
    network, (x, y) = case.reference(), case.train_xy
    expected = network.train_epoch(x, y, [np.array([3, 8])])
    found = metrics.means | metrics.measured
    assert sorted(found) == sorted(STANDARD_METRICS)
    assert (
        reference.deviation([found[name] for name in STANDARD_METRICS], dataclasses.astuple(expected)) <= TOLERANCE
    )
    assert metrics.examples == 2
    assert reference.tree_deviation(state.params, network.tree) <= TOLERANCE


def test_each_seed_fixes_its_own_keys() -> None:
    def keys(init_seed: int, data_seed: int) -> np.ndarray:
        return np.stack([jax.random.key_data(key) for key in run_keys(init_seed, data_seed)])

    base = keys(0, 0)
    assert len(np.unique(base, axis=0)) == 3
    np.testing.assert_array_equal((keys(1, 0) == base).all(1), [False, True, True])
    np.testing.assert_array_equal((keys(0, 1) == base).all(1), [True, False, False])


def test_structures_differ_only_in_what_compiles() -> None:
    numbers = {
        "learning_rate": 0.5,
        "weight_decay": 0.5,
        "momentum": 0.5,
        "layer_rates": (1.0, 2.0, 3.0),
        "schedule_end": 0.5,
        "schedule_steps": 7,
        "warmup_epochs": 1.5,
        "epochs": 9,
        "patience": 3,
        "monitor": "valid_loss",
        "activation_slope": 2.0,
        "init": "zeros",
        "batch_size": 2,
    }
    base = Structure.of(STANDARD, 3, 4)
    for name, value in numbers.items():
        assert Structure.of(dataclasses.replace(STANDARD, **{name: value}), 3, 4) == base, name
    shapes = {"hidden": (6, 7), "activation": "relu", "residual": True, "loss": "mse", "schedule": "cosine"}
    for name, value in shapes.items():
        assert Structure.of(dataclasses.replace(STANDARD, **{name: value}), 3, 4) != base, name
    assert Structure.of(STANDARD, 4, 4) != base
    assert Structure.of(STANDARD, 3, 5) == base, "the program of another data set is another by its shapes"


# Evaluation.


@pytest.mark.parametrize("count", [1, 499, 500, 501, 1003])
def test_evaluation_takes_every_example_of_a_split_of_any_size_once(count: int) -> None:
    case = make_case(STANDARD, examples=count)
    found = evaluate_function(case.structure)(case.params, case.hyper, case.splits.train, case.splits.scale)
    assert reference.deviation(both(found), case.reference().evaluate(*case.train_xy)) <= TOLERANCE


# What a run keeps. The one input of these networks is 1 and they have no bias, so the three weights are the
# logits, and the label that an epoch trains on decides which class the network then answers: an epoch's order
# is an argument, and may pick whatever examples it likes.


def labelled_case(**changes: Any) -> Case:
    """Examples 0, 1, 2 of classes 0, 1, 2; all validation examples are of class 1, and it starts out with 0."""
    config = Config(
        model="softmax_regression", learning_rate=5.0, weight_decay=0.0, batch_size=1, epochs=4, **changes
    )
    labels = jnp.arange(3, dtype=jnp.int32)
    structure = Structure.of(config, 3, 1)
    return Case(
        config,
        structure,
        to_jax(hyperparameters(config, structure, 1, np.float64)),
        Splits(
            Examples(jnp.ones((3, 1)), labels),
            Examples(jnp.ones((5, 1)), jnp.ones(5, jnp.int32)),
            jnp.asarray(1.0),
        ),
        {"Dense_0": {"kernel": jnp.asarray([[1.0, 0.0, 0.0]])}},
    )


def run_epochs(case: Case, examples: Sequence[int]) -> tuple[list[RunState], list[Values]]:
    """The states and metrics after each epoch, an epoch being one step on one example."""
    run, state, states, history = run_epoch_function(case.structure), case.state, [], []
    for example in examples:
        state, metrics = run(state, case.hyper, DROPOUT_KEY, jnp.asarray([[example]]), case.splits)
        states.append(state)
        history.append(metrics)
    return states, history


def both(found: Values) -> list[jax.Array]:
    """Loss and accuracy, and nothing else is there."""
    assert sorted(found) == ["accuracy", "loss"]
    return [found["loss"], found["accuracy"]]


def values(metrics: Values) -> np.ndarray:
    """All numbers of an epoch."""
    return np.array(list(metrics.values()))


def kernels(params: Any) -> np.ndarray:
    return np.asarray(params["Dense_0"]["kernel"])


def assert_equal_trees(actual: Any, expected: Any) -> None:
    """Bit for bit, NaN included."""
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    jax.tree.map(np.testing.assert_array_equal, actual, expected)


@pytest.mark.parametrize(
    ("examples", "accuracies", "best"),
    [((0, 1, 1, 2), (0, 1, 1, 0), 3), ((2, 2, 0, 2), (0, 0, 0, 0), 3), ((2, 0, 2, 1), (0, 0, 0, 1), 4)],
)
def test_the_epoch_of_the_highest_accuracy_is_kept_and_of_equals_that_of_the_lowest_loss(
    examples: tuple[int, ...], accuracies: tuple[int, ...], best: int
) -> None:
    case = labelled_case()
    states, history = run_epochs(case, examples)
    np.testing.assert_array_equal([metrics["valid_accuracy"] for metrics in history], accuracies)
    np.testing.assert_array_equal([state.epoch for state in states], [1, 2, 3, 4])
    end = states[-1]
    assert int(end.best_epoch) == best
    assert float(end.best_score) == max(accuracies)
    assert float(end.best_loss) == float(history[best - 1]["valid_loss"])
    assert_equal_trees(end.best_params, states[best - 1].train.params)
    others = [state for epoch, state in enumerate(states, 1) if epoch != best]
    assert not any(np.array_equal(kernels(end.best_params), kernels(state.train.params)) for state in others)
    assert int(end.diverged_epoch) == 0


def test_an_epoch_records_running_training_and_following_validation_metrics() -> None:
    case = make_case(STANDARD)
    network = case.reference()
    state, metrics = run_epoch_function(case.structure)(
        case.state, case.hyper, DROPOUT_KEY, case.order(), case.splits
    )
    batches = reference.real_places(case.order(), 37)
    running = network.train_epoch(*case.train_xy, batches, norm_every=norm_spacing(len(batches)))
    valid_loss, valid_accuracy = network.evaluate(*case.valid_xy)
    expected = {
        "train_loss": running.loss,
        "train_accuracy": running.accuracy,
        "valid_loss": valid_loss,
        "valid_accuracy": valid_accuracy,
        "grad_norm": running.grad_norm,
        "update_ratio": running.update_ratio,
    }
    assert sorted(metrics) == sorted(expected)
    assert reference.deviation([metrics[name] for name in expected], list(expected.values())) <= TOLERANCE
    assert reference.tree_deviation(state.train.params, network.tree) <= TOLERANCE


def test_a_run_that_has_had_its_epochs_stays_as_it_is() -> None:
    case = labelled_case()
    states, history = run_epochs(case, (0, 1, 1, 2, 1, 1))
    assert_equal_trees(states[4], states[3])
    assert_equal_trees(states[5], states[3])
    assert np.isfinite(values(history[3])).all()
    assert np.isnan(values(history[4])).all()
    assert np.isnan(values(history[5])).all()
    tested = run_test_function(case.structure)(states[5], case.hyper, case.splits.valid, case.splits.scale)
    assert float(tested["test_accuracy"]) == 1
    assert float(tested["test_accuracy_last"]) == 0
    for params, loss in (
        (states[2].train.params, tested["test_loss"]),
        (states[3].train.params, tested["test_loss_last"]),
    ):
        network = reference.Network(case.config, params, 1)
        assert reference.deviation(loss, network.evaluate(*case.valid_xy)[0]) <= TOLERANCE


@pytest.mark.parametrize("epoch", [1, 2, 4])
def test_a_run_that_diverges_is_marked_with_its_epoch_and_goes_no_further(epoch: int) -> None:
    """One example's input is so large that its squared error overflows."""
    case = labelled_case(loss="mse")
    case = dataclasses.replace(case, hyper=case.hyper._replace(learning_rate=jnp.asarray(0.1)))
    huge = case.splits.train.x.at[0].set(1e200)
    case = dataclasses.replace(case, splits=case.splits._replace(train=case.splits.train._replace(x=huge)))
    examples = [2] * (epoch - 1) + [0] + [1] * 2
    states, history = run_epochs(case, examples)
    for number, (state, metrics) in enumerate(zip(states, history, strict=True), 1):
        assert np.isfinite(values(metrics)).all() if number < epoch else np.isnan(values(metrics)).all()
        assert int(state.diverged_epoch) == (0 if number < epoch else epoch)
        assert int(state.epoch) == min(number, epoch)
        losses = [float(of_epoch["valid_loss"]) for of_epoch in history[: min(number, epoch - 1)]]
        assert int(state.best_epoch) == (1 + int(np.argmin(losses)) if losses else 0)
        assert np.isfinite(kernels(state.best_params)).all()
    assert_equal_trees(states[-1], states[epoch - 1])

    tested = run_test_function(case.structure)(states[-1], case.hyper, case.splits.valid, case.splits.scale)
    assert np.isnan([tested["test_loss_last"], tested["test_accuracy_last"]]).all()
    best = [float(tested["test_loss"]), float(tested["test_accuracy"])]
    if epoch == 1:
        assert np.isnan(best).all(), "no epoch has ended in finite numbers"
    else:
        network = reference.Network(case.config, states[int(states[-1].best_epoch) - 1].train.params, 1)
        assert reference.deviation(best, network.evaluate(*case.valid_xy)) <= TOLERANCE


def test_a_validation_loss_that_is_not_finite_is_divergence() -> None:
    case = labelled_case(loss="mse")
    case = dataclasses.replace(case, hyper=case.hyper._replace(learning_rate=jnp.asarray(0.1)))
    huge = case.splits.valid.x.at[0].set(1e200)
    case = dataclasses.replace(case, splits=case.splits._replace(valid=case.splits.valid._replace(x=huge)))
    (state,), (metrics,) = run_epochs(case, [1])
    assert np.isfinite(kernels(state.train.params)).all()
    assert int(state.diverged_epoch) == 1
    assert np.isnan(values(metrics)).all()


def test_a_training_loss_that_is_not_finite_is_divergence_even_where_the_parameters_are() -> None:
    """Two losses of 1.5e308 add up to infinity, and the gradient of a cross-entropy is never large."""
    case = labelled_case()
    case = dataclasses.replace(case, params={"Dense_0": {"kernel": jnp.asarray([[-1.5e308, 0.0, 0.0]])}})
    state, metrics = run_epoch_function(case.structure)(
        case.state, case.hyper, DROPOUT_KEY, jnp.asarray([[0, 0]]), case.splits
    )
    assert np.isfinite(kernels(state.train.params)).all()
    found = evaluate_function(case.structure)(state.train.params, case.hyper, case.splits.valid, case.splits.scale)
    assert np.isfinite(found["loss"])
    assert int(state.diverged_epoch) == 1
    assert np.isnan(values(metrics)).all()


def test_a_parameter_that_is_not_finite_is_divergence_even_where_no_loss_shows_it() -> None:
    """A bias of −∞ before a ReLU puts out 0."""
    config = dataclasses.replace(STANDARD, hidden=(6,), activation="relu", momentum=0.0)
    case = make_case(config)
    dead = case.params["Dense_0"]["bias"].at[2].set(-jnp.inf)
    case = dataclasses.replace(case, params={**case.params, "Dense_0": {**case.params["Dense_0"], "bias": dead}})
    _, means = epoch_function(case.structure)(case.state.train, case.hyper, DROPOUT_KEY, case.order(), case.splits)
    assert np.isfinite(means["loss"])
    state, _ = run_epoch_function(case.structure)(case.state, case.hyper, DROPOUT_KEY, case.order(), case.splits)
    assert int(state.diverged_epoch) == 1


# In somebody's own program.


def test_epochs_stand_in_a_scan_inside_a_vmap_of_somebodys_own() -> None:
    """Three learning rates side by side, one of which diverges, each as if trained alone."""
    case = make_case(dataclasses.replace(STANDARD, loss="mse", activation="relu", batch_size=4), examples=10)
    rates = jnp.asarray([0.01, 0.2, 1e250])
    orders = jnp.stack([case.order(epoch) for epoch in range(3)])

    @jax.jit
    @jax.vmap
    def train_all(rate: jax.Array) -> tuple[RunState, Values]:
        hyper = case.hyper._replace(learning_rate=rate)

        def epoch(state: RunState, order: jax.Array) -> tuple[RunState, Values]:
            return run_epoch(case.structure, state, hyper, DROPOUT_KEY, order, case.splits)

        return jax.lax.scan(epoch, init_state(case.structure, case.params, hyper), orders)

    together = train_all(rates)
    np.testing.assert_array_equal(together[0].diverged_epoch, [0, 0, 1])
    for place, rate in enumerate(rates):
        state, history = case.state, []
        hyper = case.hyper._replace(learning_rate=rate)
        for order in orders:
            state, metrics = run_epoch_function(case.structure)(state, hyper, DROPOUT_KEY, order, case.splits)
            history.append(metrics)
        alone = (state, jax.tree.map(lambda *values: jnp.stack(values), *history))
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12),
            jax.tree.map(lambda leaf: leaf[place], together),  # noqa: B023 (called at once)
            alone,
        )


def test_steps_stand_in_a_scan_of_somebodys_own() -> None:
    """The same batch again and again, batches that are made rather than taken, and a gradient through it all."""
    case = make_case(dataclasses.replace(STANDARD, momentum=0.0))
    x, y = case.train_xy
    batch = Batch(jnp.asarray(x), jnp.asarray(y), jnp.ones(len(y)))

    @jax.jit
    def final_loss(rate: jax.Array) -> jax.Array:
        def step(state: TrainState, _: None) -> tuple[TrainState, StepMetrics]:
            return train_step(case.structure, state, batch, case.hyper._replace(learning_rate=rate), DROPOUT_KEY)

        return jax.lax.scan(step, case.state.train, length=4)[1].means["loss"][-1]

    def expected(rate: float) -> float:
        network = reference.Network(dataclasses.replace(case.config, learning_rate=rate), case.params, 8)
        return [network.train_epoch(x, y, [np.arange(len(y))]).loss for _ in range(4)][-1]

    assert reference.deviation(final_loss(jnp.asarray(0.2)), expected(0.2)) <= TOLERANCE
    slope = (expected(0.2 + 1e-6) - expected(0.2 - 1e-6)) / 2e-6
    assert reference.deviation(jax.grad(final_loss)(jnp.asarray(0.2)), slope) <= 1e-7


def test_functions_take_numpy_arrays_as_they_come_from_hyperparameters() -> None:
    case = make_case(STANDARD)
    hyper = hyperparameters(STANDARD, case.structure, 37, np.float64)
    assert all(isinstance(number, np.ndarray) for number in hyper)
    splits = jax.tree.map(np.asarray, case.splits)
    params = jax.tree.map(np.asarray, dict(case.params))
    state = init_state(case.structure, params, hyper)
    found = run_epoch_function(case.structure)(state, hyper, DROPOUT_KEY, np.asarray(case.order()), splits)
    expected = run_epoch_function(case.structure)(case.state, case.hyper, DROPOUT_KEY, case.order(), case.splits)
    assert_equal_trees(found, expected)


def test_float32_stays_float32_while_x64_is_on() -> None:
    case = make_case(STANDARD)

    def narrow(tree: Any) -> Any:
        return jax.tree.map(lambda x: x.astype(jnp.float32) if x.dtype == jnp.float64 else x, tree)

    hyper, splits = narrow(case.hyper), narrow(case.splits)
    state = init_state(case.structure, narrow(case.params), hyper)
    state, metrics = run_epoch_function(case.structure)(state, hyper, DROPOUT_KEY, case.order(), splits)
    floats = [leaf.dtype for leaf in jax.tree.leaves((state, metrics)) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    assert set(floats) == {jnp.dtype(jnp.float32)}
    network = case.reference()
    network.train_epoch(*case.train_xy, reference.real_places(case.order(), 37))
    assert reference.tree_deviation(state.train.params, network.tree) <= 1e-4
