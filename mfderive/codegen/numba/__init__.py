"""The backend numba: readable Python files whose loops numba compiles."""
