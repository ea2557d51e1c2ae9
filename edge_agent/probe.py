"""`edge-agent probe`: what a stream is, measured, and a first camera file made from it."""

import math
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import median

from contract.topics import NAME_PATTERN
from edge_agent.addresses import is_live, redacted
from edge_agent.config import load_camera
from edge_agent.errors import (
    CameraError,
    CameraSilent,
    CameraUnauthorised,
    CameraUnreachable,
    ConfigError,
    VideoUnreadable,
)
from edge_agent.frames import Picture
from edge_agent.still import MaskPicture, still_jpeg
from edge_agent.video import DEFAULT_TIMEOUTS, Packet, Timeouts, Video
from edge_agent.view_files import write_file
from edge_agent.yaml_file import resolve_secrets

# Some cameras send a key frame only every ten seconds; two are needed to know the distance.
MEASURE_S = 6.0
MEASURE_LONGEST_S = 25.0
# Key frames that come at least so often are all that standing things need.
KEYFRAMES_ENOUGH_S = 4.0
# Parameters stand after a question mark, and with some makers in the path itself.
PARAMETER = re.compile(r"(\w+)=([^&/?#]*)")
SECRET_WORDS = re.compile(r"pass|pwd|token|key|auth|secret|sign|user|account", re.IGNORECASE)

# What went wrong in Chinese; the English sentence of the error follows it.
ZH: tuple[tuple[type[CameraError], str], ...] = (
    (CameraUnauthorised, "摄像机拒绝了用户名或密码"),
    (CameraUnreachable, "无法连接摄像机"),
    (CameraSilent, "已连接，但没有收到视频"),
    (VideoUnreadable, "地址可以连接，但不是可以读取的视频"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Probed:
    """What was measured of a stream; None where it could not be."""

    codec: str
    picture: Picture
    rate_fps: float | None
    keyframe_s: float | None
    bitrate_bps: float | None
    clock_offset_s: float | None

    @property
    def words(self) -> str:
        """All of it in one line."""
        size = f"{self.codec} {self.picture.width}×{self.picture.height}"
        known = (
            (self.rate_fps, "{:.3g} 帧/秒 frames/s"),
            (self.keyframe_s, "关键帧间隔 key frame every {:.3g} s"),
            (self.bitrate_bps and self.bitrate_bps / 1e6, "{:.2g} Mbit/s"),
        )
        return ", ".join([size, *(text.format(value) for value, text in known if value)])


@dataclass(frozen=True, slots=True)
class Address:
    """A stream's address as it may be written down, and the secrets that it refers to."""

    written: str
    secrets: dict[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, url: str, camera_id: str, folder: Path) -> "Address":
        """Take user, password and secret parameters out of an address; a file lies by `folder`."""
        if "${secret:" in url:
            return cls(url)
        if not is_live(url):
            return cls(os.path.relpath(url, folder))
        prefix = re.sub(r"[^A-Za-z0-9]", "_", camera_id).upper()
        secrets: dict[str, str] = {}

        def hidden(name: str, value: str) -> str:
            if not value:
                return value
            key = f"{prefix}_{re.sub(r'[^A-Za-z0-9]', '_', name).upper()}"
            secrets[key] = value
            return f"${{secret:{key}}}"

        scheme, _, rest = url.partition("://")
        authority, slash, path = rest.partition("/")
        userinfo, at, host = authority.rpartition("@")
        user, colon, password = userinfo.partition(":")
        if at:
            authority = f"{hidden('user', user)}{colon}{hidden('password', password)}@{host}"
        path = PARAMETER.sub(
            lambda found: (
                f"{found[1]}={hidden(found[1], found[2])}"
                if SECRET_WORDS.search(found[1])
                else found[0]
            ),
            path,
        )
        written = f"{scheme}://{authority}{slash}{path}"
        return cls(written, secrets)


def measure(
    url: str, transport: str, timeouts: Timeouts = DEFAULT_TIMEOUTS, seconds: float = MEASURE_S
) -> Probed:
    """Watch a stream for some seconds. Raises the CameraError that fits, in both languages."""
    resolved = resolve_secrets(url, "probe")
    shown = f"probe ({redacted(url)})"
    try:
        with Video(resolved, shown, transport, timeouts) as video:
            return _measured(video, shown, seconds)
    except CameraError as error:
        words = next(zh for kind, zh in ZH if isinstance(error, kind))
        raise type(error)(f"{words}。 {error}") from None


@dataclass(slots=True)
class _Tally:
    """Packets as they come."""

    video: Video
    clock: Callable[[], float] = time.time
    stamps_s: list[float] = field(default_factory=list)
    keys_s: list[float] = field(default_factory=list)
    offsets_s: list[float] = field(default_factory=list)
    size: int = 0
    picture: Picture | None = None

    def take(self, packet: Packet) -> None:
        """Count a packet; decode it where it is a key frame."""
        stamp_s = self.video.seconds(packet.pts)
        self.size += packet.size
        if stamp_s is not None and packet.size:
            self.stamps_s.append(stamp_s)
            captured_s = self.video.captured_s(packet.pts)
            if captured_s is not None:
                self.offsets_s.append(captured_s - self.clock())
        if packet.is_keyframe or self.picture is None:
            if stamp_s is not None and packet.is_keyframe:
                self.keys_s.append(stamp_s)
            for picture in self.video.decode(packet, alone=packet.is_keyframe):
                self.picture = picture

    def enough(self, elapsed_s: float, seconds: float) -> bool:
        """Say whether two key frames were seen, or that one waited long enough for them."""
        known = len(self.keys_s) >= 3 and self.picture is not None
        return elapsed_s >= MEASURE_LONGEST_S or (elapsed_s >= seconds and known)


def _measured(video: Video, shown: str, seconds: float) -> Probed:
    tally = _Tally(video)
    began_s = time.monotonic()
    for packet in video.packets():
        tally.take(packet)
        span_s = max(tally.stamps_s, default=0.0) - min(tally.stamps_s, default=0.0)
        # A file comes faster than it plays: what counts is whichever clock is ahead.
        if tally.enough(max(time.monotonic() - began_s, span_s), seconds):
            break
    if tally.picture is None:
        raise VideoUnreadable(f"{shown}: not one picture in it could be decoded")
    span_s = max(tally.stamps_s, default=0.0) - min(tally.stamps_s, default=0.0)
    keys = [later - sooner for sooner, later in zip(tally.keys_s, tally.keys_s[1:], strict=False)]
    steady = [distance_s for distance_s in keys if distance_s > 0]
    return Probed(
        codec=video.codec,
        picture=tally.picture,
        rate_fps=(len(tally.stamps_s) - 1) / span_s if span_s > 0 else None,
        keyframe_s=median(steady) if steady else None,
        bitrate_bps=tally.size * 8 / span_s if span_s > 0 else None,
        clock_offset_s=median(tally.offsets_s) if tally.offsets_s else None,
    )


@dataclass(frozen=True, slots=True)
class Onboarding:
    """What a first camera file is made from."""

    camera_id: str
    folder: Path
    detect: Address
    evidence: Address | None = None
    transport: str = "tcp"

    @classmethod
    def of(
        cls, camera_id: str, folder: Path, urls: tuple[str, str | None], transport: str
    ) -> "Onboarding":
        """Take the addresses of both streams. Raises ConfigError for an id that cannot be one."""
        if not re.match(NAME_PATTERN, camera_id):
            raise ConfigError(
                f"编号只能用字母、数字、'_' 和 '-'。 --id {camera_id!r}: 1 to 64 letters, digits, "
                "'_' or '-' were expected"
            )
        detect, full = urls
        own = Address.of(detect, camera_id, folder)
        other = Address.of(full, camera_id, folder) if full else None
        if (
            full
            and other
            and any(own.secrets.get(name, value) != value for name, value in other.secrets.items())
        ):
            other = Address.of(full, f"{camera_id}-evidence", folder)
        return cls(camera_id, folder, own, other, transport)

    @property
    def file(self) -> Path:
        """The camera file."""
        return self.folder / f"{self.camera_id}.yaml"

    @property
    def still(self) -> Path:
        """The reference still beside it."""
        return self.folder / f"{self.camera_id}.reference.jpg"


def write_camera(
    new: Onboarding, detect: Probed, evidence: Probed | None, mask: MaskPicture, now: datetime
) -> None:
    """Write the camera file and its masked reference still.

    Raises ConfigError where the file exists already, or cannot be written.
    """
    if new.file.exists():
        raise ConfigError(
            f"文件已存在，不会覆盖。 {new.file}: exists already and is not overwritten; "
            "choose another --id or --folder"
        )
    text = camera_text(new, detect, evidence, now)
    try:
        write_file(new.still, still_jpeg(mask(detect.picture), now))
        write_file(new.file, text.encode())
    except OSError as error:
        raise ConfigError(f"{new.folder}: cannot be written ({error.strerror})") from None
    load_camera(new.file)


def camera_text(new: Onboarding, detect: Probed, evidence: Probed | None, now: datetime) -> str:
    """A commented camera file with policies that suit what was measured."""
    keys_do = detect.keyframe_s is not None and detect.keyframe_s <= KEYFRAMES_ENOUGH_S
    every_s = max(1.0, math.ceil((detect.keyframe_s or 1.0) * 10) / 10) if keys_do else 1.0
    decode = "keyframes" if keys_do else "auto"
    why = (
        f"关键帧够密，只解码关键帧最省 CPU key frames come every {detect.keyframe_s:.3g} s: "
        "decoding only them spares the CPU"
        if keys_do
        else "关键帧太稀，按需解码 key frames are too far apart: what is needed is decoded"
    )
    lines = [
        f"# 由 edge-agent probe 于 {now:%Y-%m-%d} 生成 written by edge-agent probe",
        "# 下一步 next: edge-agent calibrate 标定地面点和区域, edge-agent check, edge-agent run",
        "camera:",
        f"  id: {new.camera_id}",
        '  name: ""                # 路口名称 a name for people, such as 人民路口',
        "  timezone: Asia/Shanghai # 区域时段按此时区 zone hours are read in it",
        "  # 摄像机位置，没有地面点时用它 where it stands; used where there are no ground points",
        "  # location: {lon: 117.36012, lat: 32.93021, error_m: 30}",
        "",
        "streams:",
        f"  # {detect.words}",
        f'  detect: {{url: "{new.detect.written}", transport: {new.transport}}}',
    ]
    if evidence and new.evidence:
        lines += [
            f"  # {evidence.words}",
            f'  evidence: {{url: "{new.evidence.written}", transport: {new.transport}}}',
        ]
    lines += [
        "",
        "looks:",
        f"  # {why}",
        f"  default: {{every_s: {every_s:g}, decode: {decode}}}",
        "",
        "# 本画面的参考图（已遮挡人头和车牌），用来发现摄像机被移动",
        "# the view as it should be, heads and plates masked: shows when the camera was moved",
        f"reference: {new.still.name}",
        "",
        "# 区域、地面点由 edge-agent calibrate 写入；规则见 docs/reference/camera-yaml.md",
        "# zones and ground points are written by edge-agent calibrate",
        "",
    ]
    return "\n".join(lines)


def report(new: Onboarding, detect: Probed, evidence: Probed | None) -> str:
    """What the command prints: measurements, files, and which secrets are to be set."""
    offset = detect.clock_offset_s
    clock = (
        "未知 unknown" if offset is None else f"{offset:+.1f} s（摄像机减网关 camera − gateway）"
    )
    lines = [f"检测流 detect:   {detect.words}", f"时钟偏差 clock offset: {clock}"]
    if evidence:
        lines.insert(1, f"证据流 evidence: {evidence.words}")
    lines += [f"已写入 written:  {new.file}", f"参考图 still:    {new.still}"]
    secrets = [*new.detect.secrets, *(new.evidence.secrets if new.evidence else ())]
    if secrets:
        lines.append(
            "请设置这些密钥（环境变量或密钥文件） set these secrets (environment or files):"
        )
        lines += [f"  {name}" for name in dict.fromkeys(secrets)]
    lines.append(f"下一步 next: edge-agent calibrate {new.file}")
    return "\n".join(lines)
