// fsnotify watchers made, used and closed by many goroutines, while the runtime
// pre-empts its threads with SIGURG and this program sends itself 5,000 more a
// second.  Every call must succeed, and every created file must be reported.
package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	goroutines = 6
	rounds     = 60
	deadline   = 20 * time.Second
)

func await(watcher *fsnotify.Watcher, op fsnotify.Op, path string) {
	late := time.After(deadline)
	for {
		select {
		case event := <-watcher.Events:
			if event.Has(op) && event.Name == path {
				return
			}
		case err := <-watcher.Errors:
			log.Fatalf("expected no error, seen %v", err)
		case <-late:
			log.Fatalf("expected %s of %s, seen nothing", op, path)
		}
	}
}

func churn(dir string) {
	for round := 0; round < rounds; round++ {
		watcher, err := fsnotify.NewWatcher()
		if err != nil {
			log.Fatalf("NewWatcher: %v", err)
		}
		for again := 0; again < 4; again++ {
			if err := watcher.Add(dir); err != nil {
				log.Fatalf("Add: %v", err)
			}
			if again < 3 {
				if err := watcher.Remove(dir); err != nil {
					log.Fatalf("Remove: %v", err)
				}
			}
		}
		path := filepath.Join(dir, fmt.Sprintf("file-%d", round))
		if err := os.WriteFile(path, []byte("text"), 0o644); err != nil {
			log.Fatal(err)
		}
		await(watcher, fsnotify.Create, path)
		if err := os.Remove(path); err != nil {
			log.Fatal(err)
		}
		await(watcher, fsnotify.Remove, path)
		if err := watcher.Close(); err != nil {
			log.Fatalf("Close: %v", err)
		}
	}
}

func storm(stop chan bool) {
	tick := time.NewTicker(200 * time.Microsecond)
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			syscall.Kill(os.Getpid(), syscall.SIGURG)
		}
	}
}

func main() {
	var all sync.WaitGroup
	stop := make(chan bool)
	go storm(stop)
	for i := 0; i < goroutines; i++ {
		dir := filepath.Join(os.Args[1], fmt.Sprintf("dir-%d", i))
		if err := os.Mkdir(dir, 0o755); err != nil {
			log.Fatal(err)
		}
		all.Add(1)
		go func() {
			defer all.Done()
			churn(dir)
		}()
	}
	finished := make(chan bool)
	go func() { all.Wait(); close(finished) }()
	for done := false; !done; {
		select {
		case <-finished:
			done = true
		default:
			runtime.GC() // stops the world: more signals
			time.Sleep(time.Millisecond)
		}
	}
	close(stop)
	fmt.Printf("%d watchers, every call succeeded\n", goroutines*rounds)
}
