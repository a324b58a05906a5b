"""What is concluded from captures: record in, record out."""

from clearhead.analysis.looks import Look, strongest_looks

__all__ = ["Look", "strongest_looks"]
