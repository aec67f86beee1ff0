"""JSON lines, checked, with the place of whatever is wrong in them."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from eval.errors import QuestionSetError

Line = TypeVar("Line", bound=BaseModel)


def read_lines(path: Path, model: type[Line]) -> list[Line]:
    """Return the lines of a file of one JSON object a line; blank lines are skipped.

    Raises:
        QuestionSetError: The file cannot be read, or a line is not what `model` says.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise QuestionSetError(path, error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise QuestionSetError(path, f"byte {error.start} is not UTF-8") from error
    found = []
    # not splitlines(), which also cuts at U+2028 inside a string
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                found.append(model.model_validate_json(line))
            except ValidationError as error:
                first = error.errors(include_url=False, include_input=False)[0]
                where = ".".join(str(part) for part in first["loc"]) or "line"
                message = f"line {number}: {where}: {first['msg']}"
                raise QuestionSetError(path, message) from error
    return found
