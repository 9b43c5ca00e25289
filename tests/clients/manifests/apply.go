// Applies the manifests below a directory, as a cluster's add-on manager does:
// each directory in it is a stack, and each *.yaml in that is applied when an
// entry of the stack appears or changes, if its text is another one by then.
package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/fsnotify/fsnotify"
)

type applier struct {
	watcher *fsnotify.Watcher
	root    string
	applied map[string]string // path -> text
}

func (a *applier) name(path string) string {
	name, _ := filepath.Rel(a.root, path)
	return name
}

func (a *applier) applyStack(stack string) {
	paths, _ := filepath.Glob(filepath.Join(stack, "*.yaml"))
	sort.Strings(paths)
	here := map[string]bool{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // gone meanwhile: its event comes
		}
		here[path] = true
		if len(text) == 0 || a.applied[path] == string(text) {
			continue // not written yet; or as it was
		}
		a.applied[path] = string(text)
		fmt.Printf("applied|%s: %s\n", a.name(path),
			strings.TrimSpace(string(text)))
	}
	for path := range a.applied {
		if filepath.Dir(path) == stack && !here[path] {
			delete(a.applied, path)
			fmt.Printf("pruned|%s\n", a.name(path))
		}
	}
}

func (a *applier) addStack(stack string) {
	info, err := os.Stat(stack)
	if err != nil || !info.IsDir() {
		return
	}
	if a.watcher.Add(stack) == nil {
		a.applyStack(stack) // what was there before the watch
	}
}

func (a *applier) take(event fsnotify.Event) {
	directory := filepath.Dir(event.Name)
	if directory == a.root {
		if event.Has(fsnotify.Create) {
			a.addStack(event.Name)
		} else {
			a.applyStack(event.Name)
		}
	} else if strings.HasSuffix(event.Name, ".yaml") {
		a.applyStack(directory)
	}
}

func main() {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		log.Fatal(err)
	}
	a := &applier{watcher, os.Args[1], map[string]string{}}
	if err := watcher.Add(a.root); err != nil {
		log.Fatal(err)
	}
	entries, _ := os.ReadDir(a.root)
	for _, entry := range entries {
		a.addStack(filepath.Join(a.root, entry.Name()))
	}
	fmt.Println("ready")
	for {
		select {
		case event := <-watcher.Events:
			a.take(event)
		case err := <-watcher.Errors:
			fmt.Printf("error|%s\n", err)
		}
	}
}
