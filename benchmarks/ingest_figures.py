"""What measurements of the ingest say: in one line, against the floors, and of several runs."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FLOORS = Path(__file__).parent / "ingest_floors.json"
FLOOD_RATIO_MAX = 2.0


def middle(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The result whose p99 is in the middle; it also says what the others were."""
    ordered = sorted(results, key=lambda one: one["report_to_receipt_s"]["p99"])
    names = ("committed_per_s", "report_to_receipt_s", "cpu_us_per_report")
    said = [{name: one[name] for name in names} for one in results]
    return {**ordered[len(ordered) // 2], "all_runs": said}


def summary(result: dict[str, Any]) -> str:
    """One line for people."""
    late, cpu = result["report_to_receipt_s"], result["cpu_us_per_report"]
    said = (
        f"{result['plan']['database']}, {result['plan']['agents']} agents, "
        f"{result['plan']['workers']} workers: {result['committed_per_s']} reports/s committed of "
        f"{result['published_per_s']} published; report to receipt p50 {late['p50']} s, "
        f"p99 {late['p99']} s; lost {result['lost']}, passed over {result['passed_over']}, doubled "
        f"{result['doubled_reports']}, cases {result['cases']} of {result['cases_expected']}; "
        f"processor time a report: ingest "
        f"{cpu['ingest']} µs, broker {cpu['broker']} µs, generator {cpu['generator']} µs, database "
        f"server {cpu['database']} µs; bare "
        f"subscriber {result['bare_subscriber_per_s']}/s, disk "
        f"{result['disk_sync_of_4_kb_s']['p99']} s (p99) for 4 KB"
    )
    if "before_the_flood_s" in result:
        said += f"; p99 before the flood {result['before_the_flood_s']['p99']} s"
    if len(result["all_runs"]) > 1:
        p99s = ", ".join(str(one["report_to_receipt_s"]["p99"]) for one in result["all_runs"])
        said += f"; the run in the middle of those with p99 {p99s} s"
    return said


def failed(result: dict[str, Any]) -> str | None:
    """What lies beyond the floors of `ingest_floors.json`, in words; None when all is well."""
    floor = json.loads(FLOORS.read_text())[result["plan"]["database"]]
    late_s = result["report_to_receipt_s"]["p99"]
    said = []
    flooded = result["plan"]["flood_per_s"] > 0  # then it is not asked how much can be taken in
    if not flooded and result["committed_per_s"] < floor["committed_per_s"]:
        said.append(f"{result['committed_per_s']} reports/s, at least {floor['committed_per_s']}")
    if late_s > floor["p99_s"]:
        said.append(f"p99 {late_s} s, at most {floor['p99_s']} s")
    if result.get("flood_p99_ratio", 0) > FLOOD_RATIO_MAX:
        said.append(f"a flood makes p99 {result['flood_p99_ratio']} times as long")
    if result["lost"] or result["doubled_reports"] or result["quarantined"]:
        said.append("nothing lost, doubled or quarantined was expected")
    if result["cases"] != result["cases_expected"]:
        said.append(f"{result['cases']} cases, {result['cases_expected']} expected")
    return "; ".join(said) or None
