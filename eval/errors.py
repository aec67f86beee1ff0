"""Errors of measuring, and what a user is told of them; the tree is drawn in corpus.errors."""

from bot.problems import UNUSABLE, Problem, problem_of
from corpus.errors import WenquError


class EvalError(WenquError):
    """Something cannot be measured, or a measurement cannot be read."""


class QuestionSetError(EvalError):
    """A set of questions is not in the form that is expected.

    Attributes:
        source: File or folder.
        reason: What is wrong, with the line.
    """

    def __init__(self, source: object, reason: str) -> None:
        super().__init__(f"cannot use {source} as a set of questions: {reason}")
        self.source = str(source)
        self.reason = reason


class ResultsError(EvalError):
    """A file of results cannot be read or compared.

    Attributes:
        source: The file.
        reason: What is wrong.
    """

    def __init__(self, source: object, reason: str) -> None:
        super().__init__(f"cannot use the results {source}: {reason}")
        self.source = str(source)
        self.reason = reason


class ServerError(EvalError):
    """A running server does not answer as it should.

    Attributes:
        url: What was asked.
        reason: What came back.
    """

    def __init__(self, url: object, reason: str) -> None:
        super().__init__(f"{url} does not answer: {reason}")
        self.url = str(url)
        self.reason = reason


@problem_of.register
def _(error: QuestionSetError) -> Problem:
    detail = f"问题集 {error.source} 不能用：{error.reason}"
    return Problem("question_set", 422, "问题集不能用", detail, str(error), UNUSABLE)


@problem_of.register
def _(error: ResultsError) -> Problem:
    detail = f"评测结果 {error.source} 不能用：{error.reason}"
    return Problem("results", 422, "评测结果不能用", detail, str(error), UNUSABLE)


@problem_of.register
def _(error: ServerError) -> Problem:
    detail = f"服务没有正常回答 {error.url}：{error.reason}"
    return Problem("server", 502, "服务没有正常回答", detail, str(error))
