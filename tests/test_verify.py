import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.verify import supported

QUOTE = "1979年，Unix v7系统支持chroot，为应用构建一个独立的虚拟文件系统视图。"


@pytest.mark.parametrize(
    "claim",
    [
        "1979年，Unix v7系统支持chroot[1]。",
        "1979 年。",
        "chroot 為應用構建一個獨立的虛擬文件系統視圖[1]",
        "Unix v7 在1979年支持chroot系统。",
        "Unix v7 1979 年支持 chroot。",
    ],
)
def test_what_the_quotation_says_is_supported(claim: str) -> None:
    assert supported(claim, [QUOTE])


@pytest.mark.parametrize(
    "claim",
    [
        "1978年，Unix v7系统支持chroot[1]。",
        "1979年，Unix v8系统支持chroot。",
        "1979年，Linux系统支持chroot，为应用构建一个独立的虚拟文件系统视图。",
        "11979年，Unix v7系统支持chroot。",
        "容器镜像打包了整个运行环境。",
        "[1]",
        "",
    ],
)
def test_a_changed_number_or_name_and_other_claims_are_not(claim: str) -> None:
    assert not supported(claim, [QUOTE])


def test_two_quotations_together_may_support_a_sentence() -> None:
    quotes = ["Docker 在 2013 年发布。", "Kubernetes 在 2014 年发布。"]
    claim = "Docker 在 2013 年发布，Kubernetes 在 2014 年发布。"
    assert supported(claim, quotes)
    assert not supported(claim, quotes[:1])


@given(st.integers(0, 30), st.integers(1, 30))
def test_every_part_of_a_quotation_is_supported_by_it(start: int, length: int) -> None:
    part = QUOTE[start : start + length]
    if any(character.isalnum() for character in part):
        assert supported(part, [QUOTE]) or part[0].isdigit() or part[-1].isdigit()


def test_nothing_supports_nothing() -> None:
    assert not supported("容器", [])
