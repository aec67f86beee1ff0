from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from corpus.fold import fold
from corpus.words import Segmenter, bigrams, names, parts, read_dictionary


def test_words_are_found_where_they_stand(segmenter: Segmenter) -> None:
    text = "𠮷野家，用Kubernetes編排，v1.24！"
    words = segmenter.words(text)
    assert [text[word.start : word.end] for word in words[-4:]] == [
        "用", "Kubernetes", "編排", "v1.24"
    ]  # fmt: skip
    assert [word.text for word in words[-3:]] == ["kubernetes", "编排", "v1.24"]


@given(st.text(alphabet=st.sampled_from([*"容器編排的𠮷ＡB-c.1½é，。 \n"]), max_size=40))
def test_words_come_in_order_and_fold_to_what_they_stand_on(
    segmenter: Segmenter, text: str
) -> None:
    last = 0
    for word in segmenter.words(text):
        assert last <= word.start < word.end
        assert word.text in fold(text[word.start : word.end])
        last = word.start


def test_codes_are_found_whole_and_by_their_parts(segmenter: Segmenter) -> None:
    terms = segmenter.terms("CRI-O 与 C++、Docker1.12")
    for term in ["cri-o", "cri", "c++", "docker1.12", "docker", "1.12"]:
        assert term in terms


def test_traditional_and_simplified_have_the_same_terms(segmenter: Segmenter) -> None:
    assert segmenter.terms("容器編排與鏡像發佈") == segmenter.terms("容器编排与镜像发布")


def test_a_long_word_is_found_by_the_words_inside_and_by_bigrams(segmenter: Segmenter) -> None:
    terms = segmenter.terms("操作系统虚拟化")
    assert {"操作系统", "系统", "虚拟化"} <= set(terms)
    assert "统虚" in terms


def test_a_word_of_the_user_is_kept_whole_and_changes_the_id(tmp_path: Path) -> None:
    plain, taught = Segmenter(tmp_path), Segmenter(tmp_path, ["问渠居士"])
    assert "问渠居士" not in [word.text for word in plain.words("问渠居士写的")]
    assert "问渠居士" in [word.text for word in taught.words("問渠居士寫的")]
    assert plain.id != taught.id
    assert taught.id == Segmenter(tmp_path, [" 问渠居士", ""]).id


def test_bigrams_and_parts_by_hand() -> None:
    assert bigrams("云原生") == ["云原", "原生"]
    assert bigrams("云") == ["云"]
    assert parts("k8s") == ["8"]
    assert parts("docker") == []
    assert parts("cri-o") == ["cri"]


def test_latin_names_are_kept_together() -> None:
    found = names("2017年，Kata Containers 与 gVisor、cri-o v1.24 都用 OCI Runtime Spec")
    assert [name.text for name in found] == [
        "kata containers", "gvisor", "cri-o", "v1.24", "oci runtime spec"
    ]  # fmt: skip


def test_a_dictionary_file_has_a_word_a_line(tmp_path: Path) -> None:
    file = tmp_path / "words.txt"
    file.write_text("\ufeff问渠 # 我们\n\n  沙箱容器\n", encoding="utf-8")
    assert read_dictionary(file) == ["问渠", "沙箱容器"]
