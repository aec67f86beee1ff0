import pytest

from bot.direct import direct_answer
from bot.question import understand
from corpus.words import Segmenter
from index.gazetteer import Gazetteer


@pytest.mark.parametrize(
    ("question", "sentence", "direct"),
    [
        ("chroot 是哪一年出现的？", "1979 年，Unix v7 支持 chroot。", "1979 年"),
        ("什麼時候收購？", "２０１９年11月13日，Mirantis 宣布收购。", "２０１９年11月13日"),
        ("哪一年？", "一九七九年出现。", "一九七九年"),
        ("什么时候？", "2017 年底成立社区。", "2017 年底"),
        ("什么时候？", "从 2013 年到 2015 年。", ""),
        ("什么时候？", "2003-2006年陆续发布。", "2003-2006年"),
        ("2013 年发布的是什么时候开源的？", "2013 年发布，2014 年开源。", "2014 年"),
        ("接管了多少客户？", "Mirantis 接管 Docker 的 700 多个客户。", "700 多个客户"),
        ("资源隔离有几类？", "大致可以分成五类。", "五类"),
        ("有几个特点？", "容器镜像有三个特点：", "三个特点"),
        ("能管理多少台机器？", "同时管理数万台机器。", "数万台机器"),
        ("有多少人？", "没有说有几个。", ""),
        ("谁收购了它？", "2019 年被收购。", ""),
    ],
)
def test_a_date_or_a_number_is_taken_out_where_there_is_just_one(
    segmenter: Segmenter, question: str, sentence: str, direct: str
) -> None:
    assert direct_answer(understand(question, segmenter, Gazetteer({})), sentence) == direct


def test_a_date_of_something_else_is_no_direct_answer(segmenter: Segmenter) -> None:
    question = understand("Docker 哪年开源？", segmenter, Gazetteer({"Docker": "name"}))
    assert direct_answer(question, "2006年，Google开源process container。") == ""
    assert direct_answer(question, "2013年，Docker开源。") == "2013年"


def test_a_date_of_one_version_is_no_answer_about_the_thing_itself(segmenter: Segmenter) -> None:
    gazetteer = Gazetteer({"Docker": "name"})
    sentence = "Docker 1.12 发布于 2015 年。"
    assert direct_answer(understand("Docker 哪年发布？", segmenter, gazetteer), sentence) == ""
    asked = understand("Docker 1.12 哪年发布？", segmenter, gazetteer)
    assert direct_answer(asked, sentence) == "2015 年"
