"""What a user is told of errors of measuring; imported for its effect on `bot.problems`."""

from bot.problems import UNUSABLE, Problem, problem_of
from eval.errors import MissingExtraError, QuestionSetError, ResultsError, ServerError


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


@problem_of.register
def _(error: MissingExtraError) -> Problem:
    detail = f"需要 {error.library}，请运行 pip install 'wenqu[{error.extra}]'。"
    return Problem("missing_extra", 500, "缺少组件", detail, str(error), UNUSABLE)
