"""Networks as ONNX, run by onnx's own evaluator and, where it is installed, by onnxruntime."""

import importlib.util

import numpy as np
import pytest

import nnjax
from made_networks import made
from nnjax.data.targets import Standard
from nnjax.nn.activations import ACTIVATIONS
from nnjax.validation import UserError

X = np.random.default_rng(0).normal(0, 2, size=(7, 6)).astype(np.float32)
DEEP = {"hidden": (5, 5, 4), "activation_slope": 2.5, "residual": True}


def networks():
    """Of each kind some, and the inputs."""
    for name in ACTIVATIONS:
        yield made(1, nnjax.Config(activation=name, **DEEP)), X
    yield made(1, nnjax.Config(model="softmax_regression", relu_logits=True)), X
    for loss in ("mse", "binary_cross_entropy"):
        yield made(1, nnjax.Config(hidden=(5,), loss=loss)), X
    standard = Standard(np.array([100.0, -5.0]), np.array([20.0, 0.1]))
    yield made(3, classes=2, task="regression", standard=standard), X
    yield made(2, task="multilabel"), X
    yield made(1, nnjax.Config(model="dan", hidden=(4,))), np.floor(np.abs(X))


def run(path, x):
    """What the graph in a file makes of inputs, by each program that is there."""
    onnx_reference = pytest.importorskip("onnx.reference")
    yield onnx_reference.ReferenceEvaluator(str(path)).run(None, {"x": x})[0]
    if importlib.util.find_spec("onnxruntime"):
        import onnxruntime

        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        yield session.run(None, {"x": x})[0]


def test_the_graph_gives_what_the_network_gives(tmp_path):
    pytest.importorskip("onnx")
    for members, x in networks():
        here = nnjax.Ensemble(members) if len(members) > 1 else members[0]
        here.save_onnx(tmp_path / "it.onnx")
        expected = here.predict(x) if here.task == "regression" else here.predict_proba(x)
        for found in run(tmp_path / "it.onnx", x):
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6, err_msg=repr(members))


def test_without_onnx_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'nnjax\[onnx\]'"):
        made(1)[0].save_onnx(tmp_path / "it.onnx")
