"""The names of derived fields, as the program gives them."""

from mfderive.algebra.terms import Field, Role


def adjoint(name):
    """The name of the adjoint of a field."""
    return Field(name, (), Role.FORWARD).derived(Role.ADJOINT).name


def velocity(name):
    """The name of the velocity of a parameter."""
    return Field(name, (), Role.PARAMETER).derived(Role.VELOCITY).name
