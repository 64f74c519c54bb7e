"""Compiled functions that repeat products and loop nests for every value of one index.

A product of one sample is small: called from Python it would cost as much again in calls. So the loop over
samples is compiled as a whole, and calls BLAS by its address. Arrays are renamed to a, b, c, ... before
anything is written, so that loops that are equal after renaming share one function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ...tensor.instructions import Each, Loop, Product, View
from .expression_code import is_number, number_value
from .loops import Kernels

_ARRAYS = "abcdefgh"

# A matrix product inside of compiled loops. Compiled, it hands BLAS the addresses of everything.
PRODUCT = '''if COMPILED:
    import numba.experimental.function_type  # from then on numba knows functions by their address
    from numba import types
    from numba.extending import get_cython_function_address

    class Blas(types.WrapperAddressProtocol):
        """A routine of BLAS by its address, with 13 addresses as arguments."""

        def __init__(self, name):
            self.address = get_cython_function_address("scipy.linalg.cython_blas", name)

        def __wrapper_address__(self):
            return self.address

        def signature(self):
            return types.void(*[types.uintp] * 13)

    GEMM = {np.dtype(np.float32): Blas("sgemm"), np.dtype(np.float64): Blas("dgemm")}

    @compiled
    def small_arguments(array):
        """Memory for the small arguments of BLAS: letters, sizes and factors."""
        return np.array([78, 84], np.uint8), np.empty(6, np.int32), np.empty(2, array.dtype)

    @compiled
    def product(gemm, small, out, left, right, factor, weights, add):
        """out = factor * left @ diag(weights) @ right, or out += that; ``out`` lies by rows."""
        if weights is None:
            return _product(gemm, small, out, left, right, factor, add)
        if left.size <= right.size:
            return _product(gemm, small, out, left * weights, right, factor, add)
        return _product(gemm, small, out, left, right * weights.reshape(weights.size, 1), factor, add)

    @compiled
    def _product(gemm, small, out, left, right, factor, add):
        """BLAS reads matrices by columns: it computes the transposed product, right.T @ left.T."""
        letters, sizes, factors = small
        rows, columns = left.flags.c_contiguous, right.flags.c_contiguous
        sizes[0], sizes[1], sizes[2] = right.shape[1], left.shape[0], left.shape[1]
        sizes[3] = right.shape[1] if columns else right.shape[0]
        sizes[4] = left.shape[1] if rows else left.shape[0]
        sizes[5] = out.shape[1]
        factors[0], factors[1] = factor, add
        gemm(
            letters[0 if columns else 1 :].ctypes.data,
            letters[0 if rows else 1 :].ctypes.data,
            sizes.ctypes.data,
            sizes[1:].ctypes.data,
            sizes[2:].ctypes.data,
            factors.ctypes.data,
            right.ctypes.data,
            sizes[3:].ctypes.data,
            left.ctypes.data,
            sizes[4:].ctypes.data,
            factors[1:].ctypes.data,
            out.ctypes.data,
            sizes[5:].ctypes.data,
        )
        return left.size + right.size  # they are still needed here: nobody may have freed them

else:
    GEMM = {np.dtype(np.float32): None, np.dtype(np.float64): None}

    def small_arguments(array):
        """Nothing: numpy needs no memory for arguments."""

    def product(gemm, small, out, left, right, factor, weights, add):
        """out = factor * left @ diag(weights) @ right, or out += that."""
        left = left if weights is None else left * weights
        out[...] = factor * (left @ right) + (out if add else 0)


PIECES = 4 * THREADS  # so many a loop: a thread that other work holds up keeps the others waiting for little
WORTH = 5e-4  # seconds of work for which other threads are asked to help
POOLS = {}  # the helping threads of this process: those of a parent do not live on in its copies


def pieces(function, count, scratch, *arguments):
    """A loop as tasks (make, dtype) for several threads; ``scratch``: names and shapes of arrays for each."""
    ends = [k * count // PIECES for k in range(PIECES + 1)]
    return [
        task(function, first, last, scratch, arguments) for first, last in zip(ends, ends[1:]) if first < last
    ]


def whole(function, count, scratch, *arguments):
    """A loop as one task, because all of its values add to the same array."""
    return task(function, 0, count, scratch, arguments)


def task(function, first, last, scratch, arguments):
    """One call of a compiled loop; the arrays of its own are made by the thread that runs it."""

    def run(make, dtype):
        function(GEMM[dtype], first, last, *(make(name, shape) for name, shape in scratch), *arguments)

    return run


def together(tasks, nodes, make):
    """Run tasks that touch nothing in common; other threads help where the first one took long."""
    begin = time.perf_counter()
    tasks[0](make, nodes.dtype)
    left = iter(tasks[1:])
    helpers = []
    if COMPILED and THREADS > 1 and (time.perf_counter() - begin) * (len(tasks) - 1) > WORTH:
        pool = POOLS.get(os.getpid())
        if pool is None:
            pool = POOLS[os.getpid()] = ThreadPoolExecutor(THREADS - 1, thread_name_prefix="solver")
        helpers = [pool.submit(_help, left, nodes) for _ in range(min(THREADS, len(tasks)) - 1)]
    try:
        for run in left:
            run(make, nodes.dtype)
    finally:
        for helper in helpers:
            if not helper.cancel():  # who has not begun by now is not waited for
                helper.result()


def _help(left, nodes):
    make = WORKSPACE.maker(nodes)
    for run in left:
        run(make, nodes.dtype)
'''


class Repeated:
    """Writes the function of one :class:`Each` and the arguments of its call.

    ``array``, ``weighting`` and ``number`` give the code of the caller: of an array by its name, of the
    weights of the shared axes of a product, and of a product's coefficient.
    """

    def __init__(
        self,
        each: Each,
        kernels: Kernels,
        array: Callable[[str], str],
        weighting: Callable[[tuple[str, ...]], str],
        number: Callable[[Product], str],
    ) -> None:
        self.each, self.kernels = each, kernels
        self.array, self.weighting, self.number = array, weighting, number
        self.local = dict(each.slices)
        self.parameters: list[str] = []
        self.arguments: list[str] = []
        self.letters: dict[str, str] = {}
        self.slices: dict[str, str] = {}
        self.weightings: dict[str, tuple[str, str]] = {}

    def call(self, weights: str | None) -> tuple[str, list[str]]:
        """The function, which is added to the file, and its arguments behind gemm, first, last and scratch.

        ``weights``: code of the weights of the index's nodes.
        """
        for number, array in enumerate(self.each.scratch, 1):
            self.letters[array.name] = f"t{number}"
        counter = "s"
        factor = ""
        body: list[str] = []
        if weights is not None:
            factor = f"{self.parameter('p', weights)}[{counter}] * "
        for step in self.each.body:
            if isinstance(step, Loop):
                body.append(self.nest(step))
            elif isinstance(step, Product):
                body.append(self.product(step, factor))
            else:
                raise TypeError(f"{type(step).__name__} cannot be repeated")
        parameters = [
            "gemm",
            "first",
            "last",
            *(self.letters[t.name] for t in self.each.scratch),
            *self.parameters,
        ]
        lines = [
            "@compiled",
            f"def KERNEL({', '.join(parameters)}):",
            f'    """For every {counter} from first to last - 1: {" and ".join(self.words())}."""',
            f"    small = small_arguments({next(iter(self.slices.values()))})",
            f"    for {counter} in range(first, last):",
            *(f"        {name} = {letter}[{counter}]" for name, letter in self.slices.items()),
            *(f"        {line}" for line in body),
        ]
        return self.kernels.named("repeat", "\n".join(lines) + "\n"), self.arguments

    def words(self) -> Iterable[str]:
        """What is done for every value, in a few words."""
        return ("a product" if isinstance(step, Product) else "a loop nest" for step in self.each.body)

    # ------------------------------------------------------------------ parts of the body

    def parameter(self, name: str, argument: str) -> str:
        """A parameter of the function, and what the call passes for it."""
        self.parameters.append(name)
        self.arguments.append(argument)
        return name

    def name(self, array: str) -> str:
        """The variable of an array: a letter, or that of its slice."""
        whole = self.local.get(array, array)
        if whole not in self.letters:
            number = len(self.letters)
            letter = _ARRAYS[number] if number < len(_ARRAYS) else f"h{number}"
            self.letters[whole] = self.parameter(letter, self.array(whole))
        letter = self.letters[whole]
        if array not in self.local:
            return letter
        self.slices[f"{letter}_s"] = letter
        return f"{letter}_s"

    def nest(self, loop: Loop) -> str:
        """The call of a loop nest."""
        name, arrays, extents = self.kernels.call(loop)
        arguments = [self.name(loop.out), *(self.name(array) for array in arrays)]
        for index in extents:
            size = f"size{len(self.parameters)}"
            arguments.append(self.parameter(size, f'n["{index.axis}"]'))
        return f"{name}({', '.join(arguments)})"

    def view(self, view: View) -> str:
        """Code for a matrix."""
        name = self.name(view.array)
        if view.dimensions != 2 or view.split != 1:
            sizes = [f"{name}.shape[{axis}]" for axis in range(view.dimensions)]
            rows = " * ".join(sizes[: view.split]) or "1"
            columns = " * ".join(sizes[view.split :]) or "1"
            name = f"{name}.reshape({rows}, {columns})"
        return f"{name}.T" if view.transposed else name

    def product(self, product: Product, factor: str) -> str:
        """The call of BLAS; ``out`` must lie by rows, so the product is transposed where it does not."""
        out, left, right = self.view(product.out), self.view(product.left), self.view(product.right)
        if product.out.transposed:
            out, left, right = (
                view.removesuffix(".T") if view.endswith(".T") else f"{view}.T" for view in (out, right, left)
            )
        count = len(self.parameters)
        number = self.parameter(f"number{count}", self.number(product))
        weighting = self.weighting(product.shared)
        if weighting not in self.weightings:
            names = (f"share{count}", f"weights{count}")
            self.parameters += names
            self.arguments.append(f"*{weighting}")
            self.weightings[weighting] = names
        share, weights = self.weightings[weighting]
        scale = f"{factor}{number} * {share}"
        return f"product(gemm, small, {out}, {left}, {right}, {scale}, {weights}, {product.add})"


def coefficient(product: Product, factor: str) -> str:
    """Code for a product's number, times ``factor`` (code, or nothing)."""
    number = repr(number_value(product.coefficient)) if is_number(product.coefficient) else "1.0"
    if not factor:
        return number
    return factor if number == "1.0" else f"-{factor}" if number == "-1.0" else f"{number} * {factor}"
