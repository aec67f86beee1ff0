from bot.channels.plain import plain_text
from bot.wire import Json


def citation(number: int, quote: str, url: str | None, *headings: str) -> Json:
    return {
        "number": number,
        "quote": quote,
        "title": "手册",
        "headings": list(headings),
        "view_url": url,
    }


def test_an_answer_is_followed_by_its_sources() -> None:
    url = "https://docs.example/documents/a?start=1&end=2"
    reply = {
        "answer": "阿花在屋顶上睡觉[1]，不吃鱼[2]。",
        "citations": [
            citation(1, "在屋顶上\n睡觉", url, "猫", "作息"),
            citation(2, "不吃鱼", "/documents/a"),
        ],
    }
    assert plain_text(reply) == (
        "阿花在屋顶上睡觉[1]，不吃鱼[2]。\n"
        "\n"
        "[1] 手册 › 作息：“在屋顶上 睡觉” https://docs.example/documents/a?start=1&end=2\n"
        "[2] 手册：“不吃鱼”"
    )


def test_a_refusal_is_only_its_words() -> None:
    assert plain_text({"answer": "文中没有提到。", "citations": []}) == "文中没有提到。"


def test_of_a_deleted_document_there_is_no_quote() -> None:
    reply = {"answer": "睡觉[1]。", "citations": [citation(1, "", None)]}
    assert plain_text(reply) == "睡觉[1]。\n\n[1] 手册"
