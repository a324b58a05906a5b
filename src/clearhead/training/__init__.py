"""Learning: tasks, and their training by the trainer of transformers."""

from clearhead.training.base import Settings, Task
from clearhead.training.run import Recording, Run, open_run, train

__all__ = ["Recording", "Run", "Settings", "Task", "open_run", "train"]
