"""What every generated module of kernel equations begins with."""

RUNTIME = '''from itertools import product

import numpy as np
from scipy import special  # noqa: F401

REACH, NODES, TENSOR_NODES = 12.0, 120, 24


class Kernels:
    """The values of kernels by name and inputs, each computed when it is first asked for."""

    def __init__(self, given, scale):
        self.known, self.scale = dict(given), scale

    def __call__(self, name, i, j):
        if (name, i, j) not in self.known and (name, j, i) in self.known and name not in MIXED:
            value = self.known[name, j, i]
            half = np.asarray(value).ndim // 2
            return np.transpose(value, (*range(half, 2 * half), *range(half))) if half else value
        if (name, i, j) not in self.known:
            self.known[name, i, j] = EQUATIONS[name](self, i, j)
        return self.known[name, i, j]


def read(values, *places):
    """Entries of an array at places (index arrays); 0 outside."""
    inside, clipped = True, []
    for place, size in zip(places, values.shape):
        inside = inside & (place >= 0) & (place < size)
        clipped.append(np.clip(place, 0, size - 1))
    return values[tuple(clipped)] * inside


def add(total, places, values):
    """Add values at places (index arrays); what falls outside is dropped."""
    places = [np.broadcast_to(place, values.shape) for place in places]
    inside = np.all([(p >= 0) & (p < n) for p, n in zip(places, total.shape)], axis=0)
    np.add.at(total, tuple(p[inside] for p in places), values[inside])


def panels(cut):
    """Gauss-Legendre nodes and normal weights on [-REACH, cut] and [cut, REACH], along a new last axis."""
    t, w = np.polynomial.legendre.leggauss(NODES)
    cut = np.clip(np.asarray(cut, float), -REACH, REACH)[..., None]
    half = np.stack([(cut + REACH) / 2, (REACH - cut) / 2])
    middle = np.stack([(cut - REACH) / 2, (cut + REACH) / 2])
    z = np.concatenate(list(middle + half * t), axis=-1)
    return z, np.concatenate(list(half * w), axis=-1) * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)


def expectation(function, covariance, mean=None, *constants):
    """E function(u, ...) over jointly Gaussian u.

    One and two variables: panels that are cut where a variable is 0, so that kinks there cost nothing. More:
    a product of Gauss-Hermite rules, which is less exact for functions with kinks.
    """
    m = len(covariance)
    flat = np.broadcast_arrays(*(np.asarray(e, float) for row in covariance for e in row),
                               *(np.asarray(e, float) for e in mean or [0.0] * m),
                               *(np.asarray(e, float) for e in constants))
    shape = flat[0].shape
    flat = [e.reshape(-1) for e in flat]
    k = [[flat[i * m + j] for j in range(m)] for i in range(m)]
    mu, more = flat[m * m : m * m + m], flat[m * m + m :]
    if m == 1:
        s = np.sqrt(k[0][0])
        z, w = panels(-mu[0] / np.where(s > 0, s, 1.0))
        values = function(mu[0][:, None] + s[:, None] * z, *(c[:, None] for c in more))
        return (values * w).sum(-1).reshape(shape)
    if m == 2:
        return pair(function, k, mu, more).reshape(shape)
    result = np.empty(len(flat[0]))
    t, w = np.polynomial.hermite_e.hermegauss(TENSOR_NODES)
    z = np.array(list(product(t, repeat=m))).T
    weight = np.prod(np.array(list(product(w / w.sum(), repeat=m))), axis=1)
    for n in range(len(result)):
        values, vectors = np.linalg.eigh(np.array([[k[i][j][n] for j in range(m)] for i in range(m)]))
        u = (vectors * np.sqrt(np.maximum(values, 0.0))) @ z + np.array([e[n] for e in mu])[:, None]
        result[n] = np.sum(function(*u, *(c[n] for c in more)) * weight)
    return result.reshape(shape)


def pair(function, k, mu, more):
    """E function(u1, u2) [row]: u1 outside, u2 given u1 inside."""
    s1 = np.sqrt(k[0][0])
    safe = np.where(s1 > 0, s1, 1.0)
    slope = np.where(s1 > 0, k[0][1] / safe, 0.0)
    rest = np.sqrt(np.maximum(k[1][1] - slope**2, 0.0))
    result = np.empty(len(s1))
    for n in range(len(result)):
        z, w = panels(-mu[0][n] / safe[n])
        inner = mu[1][n] + slope[n] * z
        y, v = panels(-inner / rest[n] if rest[n] > 0 else np.zeros_like(inner))
        u1 = np.broadcast_to((mu[0][n] + s1[n] * z)[:, None], y.shape)
        values = function(u1, inner[:, None] + rest[n] * y, *(c[n] for c in more))
        result[n] = np.sum(np.broadcast_to(values, y.shape) * v * w[:, None])
    return result
'''
