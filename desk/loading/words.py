"""Words for faults in somebody else's code."""

import traceback


def place_in_code(fault: BaseException) -> str:
    """File and line where it was raised; frames of the import machinery are no place anybody can mend."""
    frames = traceback.extract_tb(fault.__traceback__)
    for frame in reversed(frames):
        if not frame.filename.startswith("<frozen importlib"):
            return f"{frame.filename}, line {frame.lineno}"
    return "an unknown place"


def cause(fault: BaseException) -> str:
    """Kind, message and place of an exception in one line."""
    message = " ".join(str(fault).split())
    kind = type(fault).__name__
    return f"{kind}: {message} ({place_in_code(fault)})" if message else f"{kind} ({place_in_code(fault)})"
