import pytest

from bot.naming import other_name


@pytest.mark.parametrize(
    ("name", "text", "other"),
    [
        ("lmctfy", "它叫 Let Me Contain That For You (LMCTFY)。", "Let Me Contain That For You"),
        ("gae", "推出了托管平台 GAE （Google App Engine），按量收费。", "Google App Engine"),
        ("k8s", "开源项目 Kubernetes（简称 K8S）很快流行。", "Kubernetes"),
        ("cgroup", "内部使用的 process container 技术，后续更名为 cgroup。", "process container"),
        ("rkt", "Rocket，简称 rkt。", "Rocket"),
        ("世卫组织", "世界卫生组织（简称世卫组织）总部在日内瓦。", "世界卫生组织"),
        ("oci", "OCI 是 Open Container Initiative 的缩写。", "Open Container Initiative"),
        ("oci", "OCI 成立于 2015 年。", ""),
        ("ai", "RAID（独立磁盘冗余阵列）由多块硬盘组成。", ""),
    ],
)  # fmt: skip
def test_the_other_name_stands_beside_the_one_known(name: str, text: str, other: str) -> None:
    assert other_name(name, text) == other
