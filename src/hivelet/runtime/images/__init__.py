"""Images and the file systems of containers: what a container is made from, and where it lives.

The way in::

    registry, daemon, archive ─ pull (skopeo) ─┐
    docker-archive, OCI layout ── load ────────┼─ tarstream → unpack ─→ <root>/layers/<short diff id>/diff
    root file system tar ──────── import ──────┘                       <root>/images.db   who is called what
    container ─────────────────── Snapshots.prepare ─ overlay over those layers ─→ merged

Public face (all `async` methods are safe for concurrent use; everything else is quick or says that it blocks)::

    store.ImageStore(root: Path, *, clock: Clock | None = None,
                     layers_in_use: Callable[[], Collection[str]] = frozenset)      # give Snapshots.layers_in_use
      async start() / close()
      async resolve(name) -> ImageRecord                     # name, name@digest, id, short id; NotFound in Docker's words
      async list_images(filters: Mapping[str, Sequence[str]] | None) -> list[ImageRecord]
      async inspect(name) -> objects.image.Image;  describe(record) -> Image
      async history(name) -> list[objects.image.ImageHistory]
      async disk_usage() -> DiskUsage(layers_size, images, shared_sizes)
      layers_of(record) -> list[str]                         # for Snapshots.prepare;  layer_paths(record) -> list[Path]
      async import_rootfs(source: Path | AsyncIterable[bytes], reference="",
                          options: creation.ImportOptions | None) -> ImageRecord
      async load(source: Path | AsyncIterable[bytes]) -> list[str]      # familiar names, or ids
      async take_in(blobs, image: ArchivedImage, names) -> ImageRecord
      save(names) -> AsyncIterator[bytes]                    # a `docker save` archive that is an OCI layout, too
      async tag(source, target) -> None
      async remove(name, *, force=False, uses: Iterable[ImageUse(image_id, container_id, running)]) -> list[ImageRemoval]
      async collect_layers() -> list[str]                    # after a container is gone whose image went before

    pull.pull_image(store, Pull(reference, source="", platform="", auth=None, insecure=False))
      -> AsyncIterator[objects.image.ImageProgress]          # source: docker-daemon:…, containers-storage:…, oci:…
    pull.fetch_image(store, request, emit) -> ImageRecord    # the same, telling progress to `emit`
    push.push_image(store, Push(reference, auth=None, insecure=False)) -> AsyncIterator[ImageProgress]
    questions.check_credentials(store, auth) -> None
    questions.inspect_registry(reference, auth=None) -> objects.image.RegistryImage

    snapshots.Snapshots(root: Path, layers: Path)            # layers is <image root>/layers; all methods block
      prepare(container_id, layers: Sequence[str]) -> Path   # make and mount; idempotent; about a millisecond
      mount(container_id) -> Path                            # mount again what was prepared, no image needed
      path(id) / upper(id) -> Path;  prepared(id) / mounted(id) -> bool;  known() -> set[str];  layers_in_use() -> set[str]
      unmount(id);  remove(id);  adopt(known_ids) -> set[str]           # sweeps the unknown, returns the mounted

    users.find_user(rootfs: Path, spec: str, group_add=()) -> ResolvedUser(uid, gid, additional_gids, name, home)
    references.parse_reference(text) -> Reference;  parse_tagged(text);  parse_any(text) -> Lookup
    changes.apply_changes(config: ContainerConfig, changes) -> ContainerConfig
    inroot.InRoot(root)                                      # open paths inside a strange root, never leaving it
"""
