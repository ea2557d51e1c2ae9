"""What pages say when something was done, or cannot be: in both languages. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from central_ingest import errors
from central_ingest.cases import CaseState
from central_ingest.pages.errors import FilterError
from central_ingest.pages.labels import ACTIONS, STATES, Label, label


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as a page tells it: HTTP status, what happened, what to do."""

    status: int
    said: Label
    advice: Label


CANNOT_ARRANGE: Final = Label(
    "案卷状态或类别不允许此操作，或已由他人处理",
    "State or category does not allow this, or somebody else was faster",
)
NO_SUCH_NUMBER: Final = Label("没有这个编号的案卷", "There is no case of this number")
REASON_MISSING: Final = Label("请选择或填写理由", "A reason is required")

LOGIN_PROBLEMS: Final[Mapping[str, Label]] = {
    "wrong": Label("用户名或密码不正确", "User name or password is not right"),
    "expired": Label("登录已过期，请重新登录", "Your session has ended; please log in again"),
}

_PROBLEMS: Final[tuple[tuple[type[Exception], Problem], ...]] = (
    (
        errors.NotFound,
        Problem(
            404,
            Label("没有这个案卷", "There is no such case"),
            Label(
                "编号可能有误，或案卷已合并。", "The number may be wrong, or the case was merged."
            ),
        ),
    ),
    (
        errors.NotAuthenticated,
        Problem(
            401,
            Label("请先登录", "Please log in first"),
            Label("您的登录可能已过期。", "Your session may have ended."),
        ),
    ),
    (
        errors.NotAllowed,
        Problem(
            403,
            Label("您没有这项权限", "You are not allowed to do that"),
            Label("请联系管理员。", "Ask the administrator."),
        ),
    ),
    (
        errors.StoreUnavailable,
        Problem(
            503,
            Label("数据库暂时不可用", "The database cannot be used right now"),
            Label("请稍后再试；已提交的内容不会丢失。", "Try again soon; nothing stored is lost."),
        ),
    ),
    (
        FilterError,
        Problem(
            400,
            Label("筛选条件不正确", "The filter is not valid"),
            Label("请从列表重新选择。", "Choose again from the list."),
        ),
    ),
)

NO_SUCH_PAGE: Final = Problem(
    404,
    Label("没有这个页面", "There is no such page"),
    Label("地址可能有误。", "The address may be wrong."),
)

_UNKNOWN: Final = Problem(
    400,
    Label("无法处理此请求", "The request cannot be handled"),
    Label("请返回列表再试。", "Go back to the list and try again."),
)


def problem_of(error: Exception) -> Problem:
    """How a page tells this error."""
    return next((problem for kind, problem in _PROBLEMS if isinstance(error, kind)), _UNKNOWN)


def decided(number: str, state: CaseState, agents_told: int = 0) -> Label:
    """What is said after a step was taken, and whether agents learn from it."""
    now = STATES[state]
    said = Label(f"案卷 {number} {now.zh}", f"Case {number}: {now.en.lower()}")
    more = _TOLD.get(state) if agents_told else None
    return Label(f"{said.zh}，{more.zh}", f"{said.en}; {more.en}") if more else said


_TOLD: Final[Mapping[CaseState, Label]] = {
    CaseState.REJECTED: Label("该处暂不再上报", "cameras will not report this place again"),
    CaseState.PENDING: Label("该处恢复上报", "cameras report this place again"),
    CaseState.VERIFYING: Label("已请摄像机复核", "its cameras were asked to look again"),
}


def illegal(action: str, state: CaseState) -> Label:
    """Why a step cannot be taken: usually because somebody else was faster."""
    step, now = label(ACTIONS, action), STATES[state]
    return Label(
        f"案卷现为“{now.zh}”，不能再“{step.zh}”，可能已由他人处理",
        f"The case is now “{now.en}”: “{step.en}” is no longer possible; "
        "somebody else may have decided",
    )


def merged(number: str) -> Label:
    """What is said after a merge."""
    return Label(f"已合并到案卷 {number}", f"Merged into case {number}")


def split_off(number: str) -> Label:
    """What is said after a split."""
    return Label(f"已拆分为新案卷 {number}", f"Split off as case {number}")


def answered(number: str, *, accept: bool) -> Label:
    """What is said after a proposal was answered."""
    if accept:
        return Label(f"已采纳建议，保留案卷 {number}", f"Accepted; case {number} remains")
    return Label("已忽略建议，不再提示", "Dismissed; it will not be proposed again")
