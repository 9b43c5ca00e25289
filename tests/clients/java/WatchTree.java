import java.io.IOException;
import java.nio.file.*;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/**
 * A tree watched with WatchService; a line for each of its reports.  It keeps
 * 512 reports of a directory and none of one that has gone; a program that
 * wants all looks itself then, and so does this one.
 */
public final class WatchTree {
    private final WatchService service;
    private final Map<WatchKey, Path> directories = new HashMap<>();
    private final Map<Path, Set<Path>> known = new HashMap<>();
    // What it found out by looking: that may be reported yet, and is old then.
    private final Set<String> found = new HashSet<>();

    private WatchTree() throws IOException {
        service = FileSystems.getDefault().newWatchService();
    }

    private void add(Path root) {
        try (Stream<Path> paths = Files.walk(root)) {
            for (Path path : (Iterable<Path>) paths::iterator) {
                if (!path.equals(root))
                    entries(path.getParent()).add(path);
                if (Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS))
                    directories.put(path.register(service,
                        StandardWatchEventKinds.ENTRY_CREATE,
                        StandardWatchEventKinds.ENTRY_DELETE,
                        StandardWatchEventKinds.ENTRY_MODIFY), path);
            }
        } catch (IOException | RuntimeException gone) {
            // it was here a moment ago: its directory will say
        }
    }

    private Set<Path> entries(Path directory) {
        return known.computeIfAbsent(directory, path -> new HashSet<>());
    }

    private void follow(Path root) throws InterruptedException {
        while (true) {
            WatchKey key = service.take();
            tell(root, key);
            if (!key.reset()) {
                tell(root, key);
                look(root, directories.remove(key));
            }
        }
    }

    private void tell(Path root, WatchKey key) {
        Path directory = directories.get(key);
        for (WatchEvent<?> event : key.pollEvents()) {
            if (event.kind() == StandardWatchEventKinds.OVERFLOW)
                look(root, directory);
            else
                hear(root, event.kind(),
                    directory.resolve((Path) event.context()));
        }
    }

    private void hear(Path root, WatchEvent.Kind<?> kind, Path path) {
        if (!found.remove(kind + "|" + path))
            tell(root, kind, path);
    }

    private void tell(Path root, WatchEvent.Kind<?> kind, Path path) {
        System.out.println(kind + "|" + root.relativize(path));
        if (kind == StandardWatchEventKinds.ENTRY_DELETE)
            entries(path.getParent()).remove(path);
        if (kind != StandardWatchEventKinds.ENTRY_CREATE)
            return;
        entries(path.getParent()).add(path);
        if (Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS))
            add(path);
    }

    private void find(Path root, WatchEvent.Kind<?> kind, Path path) {
        tell(root, kind, path);
        found.add(kind + "|" + path);
    }

    /** Tells what was not reported and is not as it was known. */
    private void look(Path root, Path directory) {
        Set<Path> now = new HashSet<>();
        try (Stream<Path> paths = Files.list(directory)) {
            paths.forEach(now::add);
        } catch (IOException | RuntimeException gone) {
            now.clear();
        }
        for (Path path : Set.copyOf(entries(directory)))
            if (!now.contains(path))
                find(root, StandardWatchEventKinds.ENTRY_DELETE, path);
        for (Path path : now)
            if (!entries(directory).contains(path))
                find(root, StandardWatchEventKinds.ENTRY_CREATE, path);
    }

    public static void main(String[] words) throws Exception {
        WatchTree tree = new WatchTree();
        Path root = Path.of(words[0]);
        tree.add(root);
        System.out.println("ready");
        tree.follow(root);
    }
}
