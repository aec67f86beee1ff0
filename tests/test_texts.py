import html
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
SEED = ROOT.parent / "shared" / "seed" / "container-history.txt"
TEXTS = {path.stem: path.read_text("utf-8") for path in (ROOT / "corpus" / "texts").glob("*.md")}

# One fact a row: words that stand together in one sentence, list item or table row (its headings
# count as part of it) of the named text. The rows follow the history, not the alphabet.
FACTS = {
    "timeline": """
        1979 年|Unix v7|chroot|虚拟文件系统视图
        1999 年|FreeBSD 4.0|jail|第一个商用化的 OS 虚拟化技术
        2004 年|Solaris 10|Solaris Zone|第二个商用化的 OS 虚拟化技术
        2004 年至 2007 年|Google|内部大规模使用 Cgroups
        2005 年|OpenVZ|先行者
        2006 年|Google 开源|process container|cgroup
        2008 年|Cgroups|Linux 内核主线
        2008 年|LXC|Linux Container|雏形
        2011 年|Cloud Foundry|Warden|雏形
        2013 年|Google|LMCTFY|Let Me Contain That For You
        2013 年|Docker|发布
        2014 年|Kubernetes|编排
        2015 年|Google|Redhat|Microsoft|CNCF|云原生浪潮
        2016 年至 2017 年|CNCF|containerd|rkt|OCI 发布 1.0|CRI|CNI|模块化、规范化
        2017 年至 2018 年|AWS|Google|阿里云|华为|Oracle|VMware|Redhat|Rancher|商业化
        2017 年底|Kata Containers 社区成立
        2018 年 5 月|Google 开源 gVisor
        2018 年 11 月|AWS 开源 Firecracker
        阿里云|安全沙箱 1.0
        2019 年 11 月 13 日|Mirantis|Docker 公司企业级业务
        2020 年|Kata Containers|2.0 架构|沙箱容器 2.0
        近 20 年|四个历史阶段
        技术萌芽期|运行环境的隔离
        技术迸发期|软件分发及容器编排
        商用探索期|商用服务形态|2017 年
        商用拓展期|适用场景|部署规模|技术创新|产品竞争力|2019 年
    """,
    "cloud-native": """
        云原生|公有云|私有云|混合云|弹性扩展
        代表技术|容器|打包
        代表技术|服务网格
        代表技术|微服务
        代表技术|不可变基础设施
        代表技术|声明式 API
        双螺旋|催生|推动
        2013 年|Docker|2015 年|CNCF
        并非巧合|必然
        如何发布软件|如何运行软件
        竞争与合作之间寻找平衡|标准规范|诞生
        云原生生态|最重要的基石|标准规范
    """,
    "resource-isolation": """
        无差别的运行时环境|任意时间|任意位置
        容器运行时|隔离技术的组件
        Docker 布道|OS 虚拟化|namespace + cgroup + 安全防护机制
        不赞同|一段历史时期
        资源供给
        摩尔定律|计算资源
        小型机|32 路 8 核|分区
        4 路 PC 服务器|10 年前|1-8 vCPU
        小型机|军转民
        并行度有限|2004 年|串行编程|并行编程
        智力有限|故障|维护代价|指数级
        接口化|模块化|单元化
        阿姆达尔定律|临界点|收益
        舒适区|1-8 个 CPU
        微服务|驱动因素
        多任务分时操作系统|虚拟地址|独占主机
        不是伪需求
    """,
    "isolation-classes": """
        五类|进程隔离|OS 虚拟化|硬件虚拟化|硬件分区|语言运行时隔离
        进程隔离|独立的地址空间和执行上下文|CPU 和内存
        进程隔离|文件系统|网络协议栈|IPC|资源争抢
        进程隔离|同一个用户的不同程序|不同的主机|系统管理手段
        OS 虚拟化|升华版
        OS 虚拟化|分身术|文件系统|网络协议栈|IPC|进程 ID|用户 ID
        独立视图|chroot|namespace
        访问控制|cgroup
        安全防护|Capabilities|AppArmor|seccomp
        OS 虚拟化|防护能力堪忧
        同一个 OS 实例|非常复杂
        硬件虚拟化|硬件设备的分身术
        硬件虚拟化|同时运行多个操作系统
        硬件虚拟化|Guest|VMM|CPU|严格监管
        硬件虚拟化|缺点|额外的性能开销
        硬件分区|小型机|硬件或固件层|多个硬件单元
        硬件分区|等级最高
        硬件分区|粒度不灵活|成本偏高|可扩展性受限
        语言运行时隔离|Java|nodejs|managed language
        语言运行时隔离|函数计算|最优路径
        函数计算|容器或 VM
    """,
    "os-virtualization": """
        最大的贡献|Google
        2003 年至 2006 年|三驾马车|大数据|“云”的概念
        Jail|与外界隔绝
        跨平台|高可用|可扩展|控制与调配
        2006 年|process container|开源
        process container|限制|记账|隔离
        process container|CPU|内存|磁盘 I/O|网络
        更名为 cgroup
        2008 年|2007 年|第二年|内核
        Linux 阵营|重新审视
        LXC|2008 年|Linux 内核
        LXC|Cgroups|资源管理|Namespace|命名空间|视图隔离
        2013 年|Docker|Linux OS 虚拟化技术已经基本成型
    """,
    "paas-and-docker-image": """
        2013 年以前|打开方式|PaaS
        Zimi|2006 年|Fotango|鼻祖|免运维|按使用付费|API 化
        GAE|2008 年|Google
        Cloud Foundry|2011 年|Pivotal
        特定的领域
        Docker 开源|应用分发和交付
        容器镜像|核心的创新
        不可变更|操作系统发行版无关
        容器镜像里装的内容|代码
        容器镜像里装的内容|依赖库
        容器镜像里装的内容|工具
        容器镜像里装的内容|资源文件
        容器镜像里装的内容|元信息
        build once，run anywhere
        read only|不可变基础设施
        内核特性
        Build，Ship and Run Any App，Anywhere
        Run Any App|不必改造应用
        2014 年|作者当时的老板|Linux kernel
        作者|回答|无它，唯打包工具尔
        懊悔|编排系统|云原生
        单机|编排管理
    """,
    "orchestration": """
        2008 年|GAE|Google App Engine
        GAE|LXC|首款应用托管平台
        GAE|开发环境|服务器平台|硬件资源
        GAE|Borg|LXC
        Borg|Kubernetes 的前身
        Borg|十万级|数千个|数万台
        权限管理|资源共享|性能隔离|资源利用率
        高可用|调度策略|故障
        任务描述语言|实时任务监控|分析工具
        集装箱|港口系统|LXC + Borg|编排框架
        2014 年|Google|Borg|Kubernetes|K8S
        Pod|功能模块
        Pod|管理抽象
        Redhat|重量级成员|Kubernetes
        一年之后|Kubernetes 1.0|商用
        Docker 1.12|2015 年
        Docker 1.12|Docker Swarm|Docker Machine|Docker Compose
        Google 派|Docker 派
        Apache Mesos
        标准应用|必备工具
    """,
    "standards": """
        Docker|Rocket|Docker Swarm|Kubernetes|Apache Mesos|接口标准
        OCI|2015 年 6 月|Docker
        OCI Specifications|镜像格式|运行时
        OCI Runtime Spec|容器运行时规范
        OCI Image Spec|镜像格式规范
        OCI Distribution Spec|镜像分发规范
        OCI|构建、分发和运行
        CNCF|Cloud Native Computing Foundation|2015 年 7 月|晚一个月
        CNCF|Google|Redhat|Microsoft
        微服务|应用的动态调度|以基础设施为中心
        CNCF|应用管理及容器编排
        相辅相成|OCI|CNCF
        行业事实标准
        CRI|2016 年|Kubernetes 社区
        CNI|网络
        CSI|存储
        Shimv2
        CRI|OCI Image Spec|OCI Runtime Spec|Shimv2|阿里云沙箱容器
        各具特色|规范
        黄金期
        话语权
        CRI|K8S 生态|研发热潮
    """,
    "docker-inc": """
        2013 年|CoreOS
        CoreOS|Linux 内核|轻量级操作系统|自动化|易部署|安全可靠|规模化
        CoreOS|专为容器设计的操作系统
        Docker + CoreOS|黄金搭档
        一种简单的基础单元
        收购|生态平台|CoreOS|竞争
        CoreOS|2014 年末|Rocket|rkt
        rkt|Docker|应用和依赖包|可移植
        rkt|云服务加速工具|集群系统|更纯粹的业界标准
        4 年之前|Docker 公司的命运
        2014 年|Kubernetes|Redhat|Kubernetes 1.0
        OCI|话语权
        2015 年 7 月|CNCF|弯道超车
        2016 年|CRI|Kubernetes 社区
        cri-containerd|cri-o|frakti|rkt
        单机版|错过了云原生浪潮
        2019 年 11 月 13 日|Mirantis|企业级业务|700 多个客户
        Mirantis|私有云基础设施公司
        2013 年|商业化探索|彻底失败
        客户端|UI|用户群体
        K8S 专用的容器引擎|替代
    """,
    "commercial-services": """
        5 年|基本成熟|雏形
        2017 年|试水
        AWS|ECS
        Google|EKS
        阿里云|ACK|ASK|ECI
        华为|CCI
        Oracle Container Engine for Kubernetes
        VMware|Redhat|Rancher|Kubernetes
        三种形态|通用容器编排服务|Kubernetes 容器编排服务|Serverless 容器实例服务
        多方下注
        AWS|自研
        Azure|ACS|Docker Swarm|DC/OS|Kubernetes
        阿里云|ACS|Docker Swarm|Kubernetes
        Google 和华为|坚定支持 Kubernetes
        2020 年初|Azure|终止
        最早试水|Google
        2017 年|CNCF|兼容性认证|大爆发|2018 年
        Serverless 容器实例服务|2017 年|聚焦业务
        Google Cloud Run|Knative|约束条件
        快速试错|客户需求|产品形态
        VM + 容器|IaaS|kubelet|docker|containerd|runC
        一个 VM 里只部署一个|Serverless
        弹性能力|部署密度|资源成本
        2014 年|2017 年至 2018 年|抢跑期
        普及率|逐年提升
        一战而定|编排之王
        客户群体日益扩大
        长期共存|服务成本|弹性能力
    """,
    "container-engines": """
        2019 年|商用拓展期
        对外宣传|对内苦练内功
        从“有”到“优”
        第一代|Container on VM|分层设计|IaaS + PaaS
        lift and shift|运维责任|云厂商
        一步步上云|云原生思维
        多租户隔离|运维托管|技术优势
        第二代|Container with hardware virtualization
        交付平面|IaaS 的硬件接口|OS Syscall
        高性能|强隔离|够安全|低成本
        Kata Containers|2017 年底
        gVisor|2018 年 5 月|Google
        Firecracker|2018 年 11 月|AWS
        安全沙箱 1.0|阿里云
        2020 年|Kata Containers|2.0|沙箱容器 2.0
        cri-containerd|cri-o|frakti
    """,
    "sources": """
        容器技术之发展简史|阿里云系统组技术博客|2020 年 10 月 13 日
        CoreOS|从虚拟化到云原生——容器技术的发展史
        Cgroups|2008 年|2007 年
        参考文献|Cloud Native and Container Technology Landscape
        参考文献|A Brief History of Containers: From the 1970s Till Now
        参考文献|从虚拟化到云原生——容器技术的发展史
        参考文献|为什么说2019，是属于容器技术的时代？
        参考文献|阿里巴巴在安全容器上的实践与探索
        参考文献|安全容器在边缘计算场景下的实践
        参考文献|展望2020：传统容器已死，安全容器将成为云原生标配
    """,
}
ROWS = [(stem, row.strip()) for stem, rows in FACTS.items() for row in rows.strip().splitlines()]


def parts(text: str) -> tuple[dict[str, object], str]:
    """Front matter and body."""
    _, front, body = text.split("---\n", 2)
    return yaml.safe_load(front), body.replace("**", "")


def statements(body: str) -> list[str]:
    """Sentences, list items and table rows, each after its headings, items after their lead-in."""
    found: list[str] = []
    headings: list[str] = []
    lead = ""
    for line in filter(None, body.splitlines()):
        if marks := re.match(r"#+ ", line):
            headings = [*headings[: len(marks[0]) - 3], line[len(marks[0]) :]]
            lead = ""
        elif re.match(r"- |[0-9]+\. |\|", line):
            found.append(" ".join([*headings, lead, line]))
        else:
            lead = line if line.endswith("：") else ""
            found += [" ".join([*headings, part]) for part in re.split(r"(?<=[。！？])", line)]
    return found


@pytest.mark.parametrize(("stem", "row"), ROWS)
def test_every_fact_of_the_history_stands_together_in_the_texts(stem: str, row: str) -> None:
    words = row.split("|")
    together = [s for s in statements(parts(TEXTS[stem])[1]) if all(word in s for word in words)]
    assert together, f"{stem}.md has no statement with all of {words}"


def test_there_are_eight_to_twelve_texts_and_each_has_its_facts() -> None:
    assert 8 <= len(TEXTS) <= 12
    assert set(TEXTS) == set(FACTS)
    assert len(ROWS) == len(set(ROWS))


@pytest.mark.parametrize("stem", sorted(TEXTS))
def test_every_text_has_front_matter_headings_and_the_agreed_length(stem: str) -> None:
    front, body = parts(TEXTS[stem])
    assert list(front) == ["title", "author", "date", "categories"]
    assert front["author"] == "问渠项目"
    assert str(front["date"]) == "2026-11-24"
    assert isinstance(front["categories"], list)
    assert "容器技术史" in front["categories"]
    assert 900 <= len(TEXTS[stem]) <= 2200
    assert len(re.findall(r"^##+ \S", body, re.MULTILINE)) >= 2
    assert not re.search(r"^# ", body, re.MULTILINE)  # the title is the front matter's


def test_titles_are_different() -> None:
    titles = [parts(text)[0]["title"] for text in TEXTS.values()]
    assert len(set(titles)) == len(TEXTS)


def test_the_texts_show_every_structure_a_reader_must_know() -> None:
    bodies = "\n".join(parts(text)[1] for text in TEXTS.values())
    assert len(re.findall(r"^\| --- ", bodies, re.MULTILINE)) == 1
    assert len(re.findall(r"^- ", bodies, re.MULTILINE)) >= 50
    assert len(re.findall(r"^1\. ", bodies, re.MULTILINE)) >= 10
    assert len(re.findall(r"^### ", bodies, re.MULTILINE)) >= 10
    assert len(re.findall("一是.*二是.*三是", bodies)) >= 4
    assert re.findall(r"^## 参考文献$", bodies, re.MULTILINE) == ["## 参考文献"]


@pytest.mark.parametrize("stem", sorted(TEXTS))
def test_chinese_typography_is_the_same_everywhere(stem: str) -> None:
    body = re.sub("为什么说2019|展望2020", "", parts(TEXTS[stem])[1])  # titles as printed
    han = "[\u4e00-\u9fff]"
    assert not re.findall(f"{han}[A-Za-z0-9]|[A-Za-z0-9]{han}", body), "a space is missing"
    assert not re.findall(f"{han}[,;:!?()]|[,;:!?()]{han}", body), "a half-width mark"
    assert not re.findall(r"(?m)[，。；：！？（、“《] |(?<![-.|]) [，。；：！？）、”》]", body)
    assert body.count("“") == body.count("”")
    assert body.count("（") == body.count("）")
    assert "\r" not in body
    assert not re.search(r"[ \t]+$", body, re.MULTILINE)


# Wording that has to be the same in any text on the subject: titles, slogans, names.
FIXED = (
    "从虚拟化到云原生——容器技术的发展史",
    "阿里巴巴在安全容器上的实践与探索",
    "安全容器在边缘计算场景下的实践",
    "展望2020：传统容器已死，安全容器将成为云原生标配",
    "为什么说2019，是属于容器技术的时代？",
    "Build，Ship and Run Any App，Anywhere",
)


def tokens(text: str) -> list[str]:
    """Each Chinese character, and each Latin word or number, however long, as one."""
    return re.findall(r"[a-z0-9][a-z0-9.+-]*|[\u4e00-\u9fff]", text.lower())


@pytest.mark.skipif(not SEED.exists(), reason="the article lies beside the repository, not in it")
def test_no_sentence_is_taken_from_the_article() -> None:
    article = tokens(html.unescape(re.sub("<[^>]+>|[*]", "", SEED.read_text("utf-8"))))
    longest = 18
    runs = {tuple(article[i : i + longest]) for i in range(len(article))}
    borders = "|".join([r"[\n|]", *map(re.escape, FIXED)])
    for stem, text in TEXTS.items():
        for piece in re.split(borders, parts(text)[1]):
            own = tokens(piece)
            shared = [own[i : i + longest] for i in range(len(own) - longest + 1)]
            assert not [run for run in shared if tuple(run) in runs], (stem, piece)
