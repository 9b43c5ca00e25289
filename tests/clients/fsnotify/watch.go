// A tree watched with fsnotify: directories as they come, a line for each of
// its reports.
package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/fsnotify/fsnotify"
)

func addTree(watcher *fsnotify.Watcher, root string) {
	filepath.Walk(root, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.IsDir() {
			watcher.Add(path)
		}
		return nil
	})
}

func main() {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		log.Fatal(err)
	}
	root := os.Args[1]
	addTree(watcher, root)
	fmt.Println("ready")
	for {
		select {
		case event := <-watcher.Events:
			if event.Has(fsnotify.Create) {
				addTree(watcher, event.Name)
			}
			name, _ := filepath.Rel(root, event.Name)
			fmt.Printf("%s|%s\n", event.Op, name)
		case err := <-watcher.Errors:
			fmt.Printf("error|%s\n", err)
		}
	}
}
