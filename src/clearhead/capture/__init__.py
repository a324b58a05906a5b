"""From a running model to a capture, and from a capture to a file."""

from clearhead.capture.capture import Capture, Layer
from clearhead.capture.sides import Picture
from clearhead.capture.tokens import Tokens

__all__ = ["Capture", "Layer", "Picture", "Tokens"]
