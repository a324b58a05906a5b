"""What is concluded from captures: record in, record out."""

from clearhead.analysis.looks import Look, Looks, strongest_looks

__all__ = ["Look", "Looks", "strongest_looks"]
