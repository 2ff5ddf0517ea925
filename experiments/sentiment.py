"""Which structure tells praise from blame, and is deeper better?

Question: of a bag of words (mlp) and of averaged word vectors (dan, Iyyer et al. 2015), with no hidden layer and
with one, two and three of 512 features, which classifies film reviews best? All are trained with Adam; the same
seed means the same order of the examples, so that all are compared in pairs.

    python experiments/sentiment.py

takes 2,000 sentences that this file makes up, in which "not" turns a word round, so that no sum of words is right
about all of them. On reviews of your own, such as the 10,662 sentences of Pang and Lee (2005) in a folder
rt-polarity with its files rt-polarity.pos and rt-polarity.neg, by ten folds:

    python experiments/sentiment.py --data.name text --data.file rt-polarity --data.folds 10 --seeds 1 \\
        --data.valid_fraction 0.1 --axes.data.fold "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]" --batch_size 128 --patience 2

Other activations and rates are axes of their own, ``--axes.activation "[relu, tanh]"``.

Expected of the sentences, 4 seeds: perceptrons on bags of words with two and three hidden layers, 67.6 ± 2.5 and
67.7 ± 1.2 % right, lead those with one, 62.3 ± 0.8, and with none, 52.3 ± 2.6; averages of vectors go from
60.6 ± 0.8 without a hidden layer to 65.4 ± 2.9 with three. The README of this folder has what is measured on
rt-polarity. The sentences take some 100 s of a core's time.
"""

import random
from typing import Any

import nnjax
from nnjax import Config, DataConfig, cli

THINGS = ("plot", "cast", "acting", "music", "ending", "script", "camera", "pace", "story", "humour")
PRAISE = ("good", "moving", "funny", "fresh", "superb", "warm", "smart", "tender", "gripping", "lovely")
BLAME = ("bad", "dull", "lazy", "stale", "wooden", "tired", "loud", "absurd", "hollow", "clumsy")


def reviews() -> nnjax.Dataset:
    """Sentences of three judgements, one in three with "not"; praise or blame is what most of them say."""
    draw = random.Random(0)
    texts, labels = [], []
    for _ in range(2000):
        said, praise = [], 0
        for thing in draw.sample(THINGS, 3):
            good, turned = draw.random() < 0.5, draw.random() < 1 / 3
            word = draw.choice(PRAISE if good else BLAME)
            said.append(f"the {thing} is {'not ' if turned else ''}{word}")
            praise += 1 if good != turned else -1
        texts.append(" , ".join(said) + " .")
        labels.append("praise" if praise > 0 else "blame")
    return nnjax.load_text(texts, labels)


CONFIG = Config(
    data=DataConfig(reviews),
    model="dan",
    model_attributes={"embedding": 300, "word_dropout": 0.3},
    activation="relu",
    init="he_normal",
    optimizer="adam",
    learning_rate=1e-3,
    weight_decay=0.0,
    epochs=8,
    seeds=4,
)
AXES: dict[str, list[Any]] = {"model": ["mlp", "dan"], "hidden": [(), (512,), (512, 512), (512, 512, 512)]}

if __name__ == "__main__":
    options = cli.parse(__doc__, config=CONFIG, axes=AXES, output="results/sentiment")
    cli.run(options, title="Sentiment", question="Which structure tells praise from blame, and is deeper better?")
