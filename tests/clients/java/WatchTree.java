import java.io.IOException;
import java.nio.file.*;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Stream;

/** A tree watched with WatchService; a line for each of its reports. */
public final class WatchTree {
    private final WatchService service;
    private final Map<WatchKey, Path> directories = new HashMap<>();

    private WatchTree() throws IOException {
        service = FileSystems.getDefault().newWatchService();
    }

    private void add(Path root) {
        try (Stream<Path> paths = Files.walk(root)) {
            for (Path path : (Iterable<Path>) paths::iterator)
                if (Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS))
                    directories.put(path.register(service,
                        StandardWatchEventKinds.ENTRY_CREATE,
                        StandardWatchEventKinds.ENTRY_DELETE,
                        StandardWatchEventKinds.ENTRY_MODIFY), path);
        } catch (IOException | RuntimeException gone) {
            // it was here a moment ago: its directory will say
        }
    }

    private void follow(Path root) throws InterruptedException {
        while (true) {
            WatchKey key = service.take();
            tell(root, key);
            if (!key.reset()) {
                tell(root, key); // what came since would be lost with it
                directories.remove(key);
            }
        }
    }

    private void tell(Path root, WatchKey key) {
        Path directory = directories.get(key);
        for (WatchEvent<?> event : key.pollEvents()) {
            Path path = directory.resolve(String.valueOf(event.context()));
            System.out.println(event.kind() + "|" + root.relativize(path));
            if (event.kind() == StandardWatchEventKinds.ENTRY_CREATE
                && Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS))
                add(path);
        }
    }

    public static void main(String[] words) throws Exception {
        WatchTree tree = new WatchTree();
        Path root = Path.of(words[0]);
        tree.add(root);
        System.out.println("ready");
        tree.follow(root);
    }
}
