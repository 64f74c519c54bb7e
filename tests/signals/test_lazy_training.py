"""Gaussian-process prediction and lazy training: against formulas written out, and against networks that
gradient descent trains."""

import numpy as np
import pytest
from scipy.linalg import expm

import mfderive as mf
from mfderive.algebra import memory
from tests.signals.documents import chain
from tests.signals.witness import Witness

W2, B2 = 1.3, 0.2
TRAINED, NEW = 6, 4


@pytest.fixture(scope="module")
def kernels():
    """Of two erf layers, whose kernels are closed forms."""
    return mf.kernels(mf.load(chain(2, "erf")), sigma_w2=W2, sigma_b2=B2)


@pytest.fixture(scope="module")
def samples():
    """Six training inputs with targets, and four other inputs."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((TRAINED + NEW, 6))
    return x[:TRAINED], np.sin(2 * x[:TRAINED, 0]), x[TRAINED:]


def test_prediction_is_the_conditional_law(kernels, samples) -> None:
    """Mean and variance of the joint Gaussian law, by its precision matrix (a block inverse, another
    formula); the likelihood as scipy's density. To rounding: 1e-9 relative, at a condition number below
    1e3."""
    from scipy.stats import multivariate_normal

    x, y, new = samples
    found = kernels.predict(x, y, new, noise=0.1)
    joint = kernels.covariance(np.concatenate([new, x]))
    joint[NEW:, NEW:] += 0.1 * np.eye(TRAINED)
    precision = np.linalg.inv(joint)
    variance = np.linalg.inv(precision[:NEW, :NEW])
    np.testing.assert_allclose(found.mean[:, 0], -variance @ precision[:NEW, NEW:] @ y, rtol=1e-9)
    np.testing.assert_allclose(found.variance, np.diag(variance), rtol=1e-9)
    density = multivariate_normal(np.zeros(TRAINED), joint[NEW:, NEW:]).logpdf(y)
    assert found.log_likelihood == pytest.approx(density, rel=1e-9)


def test_without_noise_targets_are_met(kernels, samples) -> None:
    """At the training inputs the mean is the target and the variance 0, to rounding (1e-9)."""
    x, y, _ = samples
    found = kernels.predict(x, y, x)
    np.testing.assert_allclose(found.mean[:, 0], y, atol=1e-9)
    np.testing.assert_allclose(found.variance, 0, atol=1e-9)


def test_lazy_means_and_variances(kernels, samples) -> None:
    """The linear flow of the joint Gaussian start at all inputs, by the exponential of its whole matrix.

    d f = -(2/N) T(., X) (f(X) - Y) dt is f(t) = E f(0) + (1 - E) Y with E = expm(-t 2/N T P): mean and
    covariance of f(t) follow from those of f(0). To rounding: 1e-9 relative.
    """
    x, y, new = samples
    times = [0.0, 0.5, 3.0]
    found = kernels.lazy(x, y, new, times)
    every = np.concatenate([x, new])
    tangent, covariance = kernels.tangent(every), kernels.covariance(every)
    moving = np.diag([1.0] * TRAINED + [0.0] * NEW)
    target = np.concatenate([y, np.zeros(NEW)])
    for place, time in enumerate(times):
        flow = expm(-time * 2 / TRAINED * tangent @ moving)
        mean = target - flow @ target
        spread = flow @ covariance @ flow.T
        np.testing.assert_allclose(found.mean[place, :, 0], mean[TRAINED:], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(found.variance[place], np.diag(spread)[TRAINED:], rtol=1e-9)
        residual = mean[:TRAINED] - y
        assert found.loss_of_mean[place] == pytest.approx(np.mean(residual**2), rel=1e-9)
        loss = np.mean(residual**2 + np.diag(spread)[:TRAINED])
        assert found.loss[place] == pytest.approx(loss, rel=1e-9)


def test_the_end_of_lazy_training(kernels, samples) -> None:
    """At t = infinity the mean is regression with the tangent kernel, also where an input stands twice.

    Then its direction does not move, and the loss that is left is that of the mean of its two targets. To
    rounding: 1e-9, and 1e-7 where an eigenvalue of 0 is divided out.
    """
    x, y, new = samples
    found = kernels.lazy(x, y, new, np.inf)
    wanted = kernels.tangent(new, x) @ np.linalg.solve(kernels.tangent(x), y)
    np.testing.assert_allclose(found.mean[0, :, 0], wanted, rtol=1e-9)
    twice = kernels.lazy(np.concatenate([x, x[:1]]), np.append(y, y[0] + 1.0), new, [0.0, np.inf])
    assert np.sum(twice.rates == 0) == 1
    assert twice.loss_of_mean[1] == pytest.approx(0.5 / (TRAINED + 1), rel=1e-9)
    averaged = kernels.lazy(x, y + 0.5 * (np.arange(TRAINED) == 0), new, np.inf)
    np.testing.assert_allclose(twice.mean[1], averaged.mean[0], rtol=1e-7)


def test_what_is_refused(kernels, samples, monkeypatch) -> None:
    """Each with one message that says what to do."""
    x, y, new = samples
    with pytest.raises(mf.MfError, match=r"singular to rounding at noise = 0.*Give noise"):
        kernels.predict(np.concatenate([x, x[:1]]), np.append(y, 0.0), new)
    with pytest.raises(mf.ArgumentError, match=r"y_train has the shape \(5,\); it must be \[6, 1\]"):
        kernels.predict(x, y[:5], new)
    with pytest.raises(mf.ArgumentError, match="noise is -1; it is a variance"):
        kernels.predict(x, y, new, noise=-1)
    for times in ([1.0, 0.5], [-1.0], [], "soon", [np.nan]):
        with pytest.raises(mf.ArgumentError, match=r"times is .*; it must be a list of numbers from 0 on"):
            kernels.lazy(x, y, new, times)
    other = mf.load(chain(1, loss={"kind": "logistic"}))
    with pytest.raises(mf.MfError, match=r"the squared loss.*has the loss 'logistic'.*net.replace"):
        mf.kernels(other, sigma_w2=1.0).lazy(x, y, new, 1.0)
    dropped = mf.load(chain(1, training={"learning_rate": 0.1, "steps": 1, "dropout": {"f_1": 0.2}}))
    with pytest.raises(mf.MfError, match=r"dropout \(layers f_1\)"):
        mf.kernels(dropped, sigma_w2=1.0).lazy(x, y, new, 1.0)
    monkeypatch.setattr(memory, "free_memory", lambda: 2**20)
    many = np.zeros((2000, 6))
    for refused in (
        lambda: kernels.predict(many, many[:, 0], new),
        lambda: kernels.lazy(many, many[:, 0], new, 1),
    ):
        with pytest.raises(mf.ResourceError, match=r"2000 (training|samples) .*Use fewer training inputs"):
            refused()


def trained(net, width, seeds, samples, rate, steps):
    """The changes of the outputs of networks at the other inputs [seed, input].

    They are trained on targets measured from their own start, by full-batch gradient descent on the normal
    numbers behind their parameters.
    """
    import jax

    from mfderive.finite.namespace import jax_namespace, precision

    x, y, new = samples
    witness = Witness(net, width, W2, B2, set(mf.signal(net, sigma_w2=W2, sigma_b2=B2).kernels.biases))
    draws = [witness.draw(seed)[0] for seed in range(seeds)]
    normal = {name: np.stack([draw[name] for draw in draws]) for name in draws[0]}
    namespace = jax_namespace()

    def outputs(parameters, inputs):
        values = {name: witness.factors[name] * value for name, value in parameters.items()}
        sizes = {**witness.sizes, "data": len(inputs)}
        fields = witness.finite.evaluate({**values, "x": inputs}, sizes, namespace, until="yhat")
        return fields["yhat"][:, 0]

    def change(parameters):
        start = outputs(parameters, x)

        def step(now, _):
            slope = jax.grad(lambda p: ((outputs(p, x) - start - y) ** 2).mean())(now)
            return {name: value - rate * slope[name] for name, value in now.items()}, None

        end, _ = jax.lax.scan(step, parameters, None, length=steps)
        return outputs(end, new) - outputs(parameters, new)

    with precision(jax, "float64"):
        return np.asarray(jax.jit(jax.vmap(change))(normal))


def slope_over_widths(samples, widths, seeds):
    """The rms deviations of trained networks from lazy training, the slope over widths, its standard error.

    The error follows from the spread of the squared deviations of seeds. Training ends at t = 3/(largest
    rate), after 100 steps: steps of 0.03/(largest rate) are off from the flow by at most 0.03/(2e) = 0.6 % of
    a residual, against deviations of networks of 3 % and more.
    """
    net = mf.load(chain(2, "erf"))
    found = mf.kernels(net, sigma_w2=W2, sigma_b2=B2)
    steps, end = 100, 3.0 / found.lazy(*samples, 0.0).rates.max()
    wanted = found.lazy(*samples, end).mean[0, :, 0]
    squares = np.array(
        [
            np.mean((trained(net, width, seeds, samples, end / steps, steps) - wanted) ** 2, axis=1)
            for width in widths
        ]
    )
    mean, error = squares.mean(axis=1), squares.std(axis=1, ddof=1) / np.sqrt(seeds)
    places = np.log(widths) - np.mean(np.log(widths))
    slope = np.sum(places * 0.5 * np.log(mean)) / np.sum(places**2)
    deviation = np.sqrt(np.sum((places * 0.5 * error / mean) ** 2)) / np.sum(places**2)
    return np.sqrt(mean), slope, deviation


def test_networks_train_lazily(samples) -> None:
    """Trained networks fall on lazy training as 1/sqrt(n): the slope over widths 24 and 160 is -1/2 within
    three of its standard errors, and the wider ones are within 8 % of the targets' size (1/sqrt(160))."""
    off, slope, error = slope_over_widths(samples, (24, 160), 16)
    assert error < 0.12
    assert abs(slope + 0.5) < 3 * error
    assert off[1] < 0.08 * np.sqrt(np.mean(samples[1] ** 2))


@pytest.mark.study
def test_networks_train_lazily_over_many_widths(samples) -> None:
    """The same at widths 64 to 1024, to three standard errors of the slope (below 0.05)."""
    off, slope, error = slope_over_widths(samples, (64, 128, 256, 512, 1024), 12)
    print(f"\nrms deviation from lazy training {off}, slope {slope:.3f} +- {error:.3f}")
    assert error < 0.05
    assert abs(slope + 0.5) < 3 * error
