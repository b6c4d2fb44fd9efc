"""Reading a project: its files with what they extend and include, merged into one long form.

Each file goes the same way: read, `!reset` and `!override` taken out, variables filled in, held against the tables, brought
into long form, its services extended, its includes imported; then it is laid over the files before it. At the end env files are
read. Files that are extended or included are found from the file that names them; circles are refused.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import cast

from hivelet.compose import document as doc
from hivelet.compose.document import ComposeError, Document, Problem
from hivelet.compose.edits import apply_edits, take_edits
from hivelet.compose.env_files import RAW
from hivelet.compose.files import read_document, read_env_file
from hivelet.compose.interpolate import interpolate
from hivelet.compose.long_forms import Json
from hivelet.compose.merge import merge_files, merge_services
from hivelet.compose.normalise import normalise_file
from hivelet.compose.origins import Origins
from hivelet.compose.references import suggest_name
from hivelet.compose.resolve import env_file_keys, resolve_service
from hivelet.compose.selection import read_variables
from hivelet.compose.surroundings import Surroundings
from hivelet.compose.validate import coerce, find_keys, find_problems

_IMPORTED = ("services", "networks", "volumes", "secrets", "configs")


@dataclass(slots=True, kw_only=True)
class _Part:
    """One file on its way."""

    document: Document
    around: Surroundings
    long_form: Json
    edits: list[doc.Path]
    includes: list[Json]
    ignored: list[Problem]
    by_daemon: list[Problem]
    kept: list[Problem]


@dataclass(slots=True, kw_only=True)
class ProjectReader:
    """Reads projects and collects, for all of them, where things come from and what must be said."""

    exported: Mapping[str, str]
    skip_interpolation: bool = False
    origins: Origins = field(default_factory=Origins)
    warnings: list[str] = field(default_factory=list)
    ignored: list[tuple[Document, list[Problem]]] = field(default_factory=list)
    by_daemon: list[tuple[Document, list[Problem]]] = field(default_factory=list)
    kept: list[tuple[Document, list[Problem]]] = field(default_factory=list)
    env_files: list[str] = field(default_factory=list)
    _bases: dict[str, _Part] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)

    def read(
        self, names: Sequence[tuple[str, str]], around: Surroundings, chain: tuple[str, ...] = ()
    ) -> Json:
        """The files `names` (path, and what errors call it), later ones laid over earlier ones, in long form.

        Raises:
            ComposeError: a file cannot be read or is not right.
        """
        merged: Json | None = None
        for path, shown in names:
            part = self._prepare(path, shown, around)
            self.origins.add(part.document)
            self.ignored.append((part.document, part.ignored))
            self.by_daemon.append((part.document, part.by_daemon))
            self.kept.append((part.document, part.kept))
            services = part.long_form["services"]
            for name in services:
                services[name] = self._extended(part, name, merged, (name,), ())
            for index in range(len(part.includes)):
                self._include(part, index, (*chain, str(Path(path).absolute())))
            if merged is None:
                merged = part.long_form
            else:
                apply_edits(merged, part.edits)
                merged = merge_files(merged, part.long_form)
        assert merged is not None
        services = merged["services"]
        merged["services"] = {
            name: self._resolved(name, service, around) for name, service in services.items()
        }
        return merged

    def _prepare(self, path: str, shown: str, around: Surroundings) -> _Part:
        document = read_document(path, shown)
        root, edits, problems = take_edits(document.root)
        if problems:
            raise ComposeError.of(document, problems)
        data = root.plain()
        if not self.skip_interpolation:
            data, problems, unset = interpolate(data, around.environment)
            if problems:
                raise ComposeError.of(document, problems)
            for name in sorted(unset):
                self._warn(
                    f"{document.name}: the variable {name} is not set; an empty string stands in for it"
                )
        data = coerce(data)
        problems = find_problems(data)
        if problems:
            raise ComposeError.of(document, problems)
        whole = cast("Json", data)
        includes = [
            {"path": entry} if isinstance(entry, str) else entry
            for entry in whole.get("include") or []
        ]
        return _Part(
            document=document,
            around=around,
            long_form=normalise_file(whole, around),
            edits=edits,
            includes=includes,
            ignored=find_keys(data, "ignored"),
            by_daemon=find_keys(data, "daemon"),
            kept=find_keys(data, "kept"),
        )

    # ---- extends

    def _extended(
        self,
        part: _Part,
        name: str,
        below: Json | None,
        target: tuple[str, ...],
        chain: tuple[tuple[str, str], ...],
    ) -> Json:
        """The service `name` of a file with all that it extends; `target` has its name in the stack."""
        service: Json = part.long_form["services"][name]
        if "extends" not in service:
            return service
        chain = (*chain, (part.document.name, name))
        reference, base_part = service["extends"], part
        base_name = reference["service"]
        if "file" in reference:
            base_part = self._base_file(part, reference["file"])
        if (base_part.document.name, base_name) in chain:
            names = " -> ".join(
                f"{where}:{which}"
                for where, which in [*chain, (base_part.document.name, base_name)]
            )
            raise self._error(part, name, f"the services extend each other in a circle: {names}")
        if base_name in base_part.long_form["services"]:
            base = self._extended(base_part, base_name, below, target, chain)
            self.origins.add_base(
                base_part.document, ("services", *target), ("services", base_name)
            )
            if base_part is not part:
                self._tell_base(base_part, base_name)
        elif base_part is part and below is not None and base_name in below["services"]:
            base = below["services"][base_name]
        else:
            hint = suggest_name(base_name, base_part.long_form["services"])
            message = f'there is no service "{base_name}" in {base_part.document.name} to extend'
            raise self._error(part, name, message, hint)
        stack: Json = {"services": {name: copy.deepcopy(base)}}
        apply_edits(stack, part.edits)
        own = {key: value for key, value in service.items() if key != "extends"}
        return merge_services(stack["services"][name], own)

    def _base_file(self, part: _Part, file: str) -> _Part:
        path = part.around.absolute(file)
        if path == str(Path(part.document.name).absolute()):
            return part
        if path not in self._bases:
            around = Surroundings(
                directory=dirname(path),
                environment=part.around.environment,
                exported=part.around.exported,
                foreign=True,
            )
            self._bases[path] = self._prepare(path, _beside(part.document.name, file), around)
        return self._bases[path]

    def _tell_base(self, part: _Part, name: str) -> None:
        for found, told in (
            (part.ignored, self.ignored),
            (part.by_daemon, self.by_daemon),
            (part.kept, self.kept),
        ):
            problems = [problem for problem in found if problem.path[:2] == ("services", name)]
            if (part.document, problems) not in told:
                told.append((part.document, problems))

    # ---- include

    def _include(self, part: _Part, index: int, chain: tuple[str, ...]) -> None:
        """Import what an entry of `include` names into the file's own long form."""
        entry = part.includes[index]
        files = [entry["path"]] if isinstance(entry["path"], str) else entry["path"]
        place: doc.Path = ("include", index)
        if not files:
            problem = Problem(path=place, message="its `path` names no file")
            raise ComposeError.of(part.document, [problem])
        if remote := next((file for file in files if ":" in file), ""):
            problem = Problem(
                path=place,
                message=f'"{remote}" is not a file of this machine',
                hint="fetch it first and include the copy",
            )
            raise ComposeError.of(part.document, [problem])
        paths = [part.around.absolute(file) for file in files]
        if again := next((path for path in paths if path in chain), ""):
            names = " -> ".join(Path(path).name for path in [*chain, again])
            problem = Problem(
                path=place, message=f"the files include each other in a circle: {names}"
            )
            raise ComposeError.of(part.document, [problem])
        directory = (
            part.around.absolute(entry["project_directory"])
            if "project_directory" in entry
            else dirname(paths[0])
        )
        given = entry.get("env_file", [])
        env_files = [given] if isinstance(given, str) else given
        variables, used = read_variables(
            directory,
            [part.around.absolute(file) for file in env_files],
            _without_selection(part.around.environment),
        )
        self.env_files += used
        around = Surroundings(
            directory=directory,
            environment={**part.around.environment, **variables},
            exported=part.around.exported,
            foreign=True,
        )
        shown = [_beside(part.document.name, file) for file in files]
        self._import(part, self.read(list(zip(paths, shown, strict=True)), around, chain), index)

    def _import(self, part: _Part, included: Json, index: int) -> None:
        problems: list[Problem] = []
        for section in _IMPORTED:
            own = part.long_form[section]
            for name, value in included[section].items():
                if name in own and own[name] != value:
                    message = f'the included file declares {section.removesuffix("s")} "{name}", which is declared here too, and differently'
                    hint = "give one of them another name, or change it in a file that comes after with -c"
                    problems.append(Problem(path=("include", index), message=message, hint=hint))
                own[name] = value
        if problems:
            raise ComposeError.of(part.document, problems)

    # ---- env files

    def _resolved(self, name: str, service: Json, around: Surroundings) -> Json:
        contents: dict[tuple[str, str], Mapping[str, str]] = {}
        for key, required in env_file_keys(service, around):
            if required or Path(key[0]).exists():
                contents[key] = read_env_file(*key, around.environment)
                if key[1] == RAW:
                    self._warn_of_quotes(name, key[0], contents[key])
        for file in service.get("label_file") or []:
            path = around.absolute(file)
            contents[path, ""] = read_env_file(path, "", around.environment)
        return resolve_service(service, around, contents)

    def _warn_of_quotes(self, service: str, path: str, variables: Mapping[str, str]) -> None:
        quoted = [
            name
            for name, value in variables.items()
            if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
        ]
        if quoted:
            self._warn(
                f"{path}: the quotes around {', '.join(quoted)} are part of the value, as in `docker stack`; "
                f"write `env_file: [{{path: …}}]` in service {service} to have them taken away"
            )

    def _warn(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self.warnings.append(text)

    def _error(self, part: _Part, name: str, message: str, hint: str = "") -> ComposeError:
        problem = Problem(path=("services", name, "extends"), message=message, hint=hint)
        return ComposeError.of(part.document, [problem])


def _without_selection(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without what chooses the files of the project that includes."""
    return {key: value for key, value in environment.items() if key != "COMPOSE_ENV_FILES"}


def _beside(name: str, file: str) -> str:
    """What errors call a file that the file `name` refers to."""
    return file if name == "<stdin>" else normpath(join(dirname(name), file))
