"""Every word a duty officer reads for a coded value, Chinese first, English second."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from central_ingest.cases import CaseState, Presence
from contract.catalogue import Category


@dataclass(frozen=True, slots=True)
class Label:
    """One text in both languages."""

    zh: str
    en: str

    def __str__(self) -> str:
        """Both languages on one line."""
        return f"{self.zh} {self.en}"


STATES: Final[Mapping[str, Label]] = {
    state: Label(state.name_zh, state.name_en) for state in CaseState
}

PRESENCES: Final[Mapping[str, Label]] = {
    presence: Label(presence.name_zh, presence.name_en) for presence in Presence
}

SEVERITIES: Final[Mapping[str, Label]] = {
    "urgent": Label("紧急", "Urgent"),
    "normal": Label("一般", "Normal"),
}

CAMERA_STATES: Final[Mapping[str, Label]] = {
    "ok": Label("正常", "Well"),
    "connecting": Label("连接中", "Connecting"),
    "offline": Label("离线", "Offline"),
    "dark": Label("过暗", "Dark"),
    "overexposed": Label("过曝", "Overexposed"),
    "blurred": Label("模糊", "Blurred"),
    "frozen": Label("画面冻结", "Frozen"),
    "covered": Label("被遮挡", "Covered"),
    "moved": Label("被移动", "Moved"),
    "set_aside": Label("已停用", "Set aside"),
}

PHASES: Final[Mapping[str, Label]] = {
    "raised": Label("已上报", "Raised"),
    "updated": Label("持续可见", "Still seen"),
    "cleared": Label("已消失", "Cleared"),
    "withdrawn": Label("已撤回", "Withdrawn"),
}

EVIDENCE_STATES: Final[Mapping[str, Label]] = {
    "present": Label("图片已到", "Picture stored"),
    "pending": Label("图片传输中", "Picture on its way"),
    "lost": Label("图片已丢失", "Picture lost"),
    "none": Label("尚无图片", "No picture yet"),
}

ACTIONS: Final[Mapping[str, Label]] = {
    "open": Label("自动开案", "Opened automatically"),
    "confirm": Label("确认立案", "Confirm"),
    "reject": Label("驳回", "Reject"),
    "dispatch": Label("派遣", "Dispatch"),
    "accept": Label("受理", "Accept"),
    "return": Label("回退", "Return"),
    "handle": Label("处理完毕", "Mark handled"),
    "verify": Label("核查", "Verify"),
    "rework": Label("返工", "Rework"),
    "recheck": Label("摄像机复核", "Camera looked again"),
    "close": Label("结案", "Close"),
    "void": Label("作废", "Void"),
    "restore": Label("恢复待核实", "Restore"),
    "merge": Label("合并", "Merge"),
    "split": Label("拆分", "Split"),
    "dismiss": Label("忽略建议", "Dismiss proposal"),
    "recur": Label("复发", "Came back"),
}

CLIP_STATES: Final[Mapping[str, Label]] = {
    "present": Label("视频已到", "Clip stored"),
    "pending": Label("视频传输中", "Clip on its way"),
    "lost": Label("视频已丢失", "Clip lost"),
}

PROPOSALS: Final[Mapping[str, Label]] = {
    "merge": Label("建议与此案合并", "Perhaps the same as case"),
    "void": Label("建议作废", "Perhaps void"),
}

OUTCOMES: Final[Mapping[str, Label]] = {
    "accepted": Label("已采纳", "Accepted"),
    "dismissed": Label("已忽略", "Dismissed"),
    "merged": Label("已合并", "Merged"),
    "case ended": Label("案卷已终结", "Case ended"),
}

SEEN: Final = Label("现场", "As seen")
BEFORE: Final = Label("消失前", "Before")
AFTER: Final = Label("消失后", "After")

# Reasons one key press away when a case is rejected; the code is what the form sends.
QUICK_REASONS: Final[Mapping[str, Label]] = {
    "not_an_issue": Label("误报，无此问题", "False alarm"),
    "already_gone": Label("已自行消除", "Already gone"),
    "duplicate": Label("重复案卷", "Duplicate"),
    "permitted": Label("已获许可", "Permitted"),
    "not_ours": Label("不属管辖", "Not our area"),
    "unclear": Label("图像不清", "Picture unclear"),
}


def label(table: Mapping[str, Label], code: str) -> Label:
    """The label of a code; an unknown code stands for itself, so that nothing is hidden."""
    return table.get(code, Label(code, code))


def category_label(category: Category) -> Label:
    """The category's name from the catalogue."""
    return Label(category.name_zh, category.name_en)
