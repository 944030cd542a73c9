"""A frozen run as an RO-Crate 1.1: a Workflow Run Crate that names workflow, inputs and results."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

_PROFILES = (
    ("https://w3id.org/ro/wfrun/process/0.5", "Process Run Crate", "0.5"),
    ("https://w3id.org/ro/wfrun/workflow/0.5", "Workflow Run Crate", "0.5"),
    ("https://w3id.org/workflowhub/workflow-ro-crate/1.0", "Workflow RO-Crate", "1.0"),
)
_RUN_CONTEXT = "https://w3id.org/ro/terms/workflow-run/context"
_MIT = "https://spdx.org/licenses/MIT"
_COMPLETED = {"@id": "http://schema.org/CompletedActionStatus"}
_FORMATS = {
    ".tsv": "text/tab-separated-values",
    ".py": "text/x-python",
    ".yaml": "application/yaml",
    ".meme": "text/plain",
    ".jaspar": "text/plain",
    ".smk": "text/plain",
    ".rst": "text/x-rst",
    ".transfac": "text/plain",
    ".sha256": "text/plain",
    ".sizes": "text/tab-separated-values",
    ".txt": "text/plain",
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
_OTHER_FORMAT = "application/octet-stream"
_DESCRIPTION = (
    "Sequence models and motifs of transcription factors: config, tables, weights, motifs and"
    " report of the run {} of motifloom {}"
)


def describe(provenance: Mapping, digests: Mapping[str, str], ended: float) -> str:
    """The text of ro-crate-metadata.json for the files of an archive.

    provenance: the run's provenance.json. digests: SHA-256 by name of every other file of the
    archive. ended: when the run ended, in seconds since 1970.
    """
    name, time = provenance["name"], datetime.fromtimestamp(int(ended), UTC).isoformat()
    crate = ROCrate(version="1.1")
    crate.metadata.extra_contexts.append(_RUN_CONTEXT)
    crate.name = f"motifloom: {name}"
    crate.description = _DESCRIPTION.format(name, provenance["code"]["version"])
    crate.license = _add_licence(crate, provenance["config"]["share"]["licence"])
    crate.datePublished = time
    for identifier, title, version in _PROFILES:
        properties = {"@type": "CreativeWork", "name": title, "version": version}
        profile = crate.add(ContextEntity(crate, identifier, properties=properties))
        crate.root_dataset.append_to("conformsTo", profile)
    workflow = _add_workflow(crate, provenance, digests)
    files = {
        path: crate.add_file(dest_path=path, properties=_properties(path, digest))
        for path, digest in digests.items()
        if path != workflow.id
    }
    action = crate.add_action(
        workflow,
        identifier="#run",
        object=[files["config.json"], *_add_inputs(crate, provenance)],
        result=[file for path, file in files.items() if path.startswith("results/")],
        properties={
            "name": f"run {name}",
            "description": f"All results of the config {name}, as checksums.sha256 lists them",
            "endTime": time,
            "actionStatus": _COMPLETED,
        },
    )
    crate.root_dataset["mentions"] = action
    return json.dumps(crate.metadata.generate(), indent=2, sort_keys=True) + "\n"


def _add_licence(crate: ROCrate, licence: str) -> ContextEntity:
    """The licence of the results, as the config says it."""
    properties = {"@type": "CreativeWork", "name": licence or "not stated"}
    return crate.add(ContextEntity(crate, "#licence", properties=properties))


def _add_workflow(crate: ROCrate, provenance: Mapping, digests: Mapping[str, str]):
    """The main entity: the archive's Snakefile, or the place it was loaded from."""
    code, local = provenance["code"], "workflow/Snakefile"
    properties = {"name": "motifloom", "version": code["commit"] or code["version"]}
    properties |= {"license": _MIT} | ({"sha256": digests[local]} if local in digests else {})
    place = {"dest_path": local} if local in digests else {"source": f"https://{code['source']}"}
    version = provenance["packages"].get("snakemake")
    return crate.add_workflow(
        **place, properties=properties, main=True, lang="snakemake", lang_version=version
    )


def _add_inputs(crate: ROCrate, provenance: Mapping) -> list[ContextEntity]:
    """The files that the config names, which the archive does not hold, with their digests."""
    return [
        crate.add(
            ContextEntity(
                crate,
                f"#input-{number}",
                properties={
                    "@type": "CreativeWork",
                    "name": path,
                    "sha256": described["sha256"],
                    "contentSize": str(described["bytes"]),
                },
            )
        )
        for number, (path, described) in enumerate(provenance["inputs"].items(), start=1)
    ]


def _properties(path: str, digest: str) -> dict[str, str]:
    """Name, digest and format of one file of the archive."""
    form = _FORMATS.get(path[path.rfind(".") :], _OTHER_FORMAT)
    return {"name": path, "sha256": digest, "encodingFormat": form}
