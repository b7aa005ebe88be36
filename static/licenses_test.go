package static

import (
	"encoding/json"
	"errors"
	"flag"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var golden = flag.Bool("golden", false, "rewrite licenses/modules.txt")

// permitted are licences that allow us to distribute the program under terms of our own, by a sentence of each.
var permitted = []string{
	"Permission is hereby granted, free of charge, to any person obtaining a copy", // MIT
	"Permission to use, copy, modify, and/or distribute this software for any",     // ISC
	"Redistribution and use in source and binary forms, with or without",           // BSD
	"Apache License Version 2.0",
	"This is free and unencumbered software released into the public domain", // Unlicense
}

// licenceFile matches the names of files that must accompany copies of a module.
var licenceFile = regexp.MustCompile(`(?i)^(licen[sc]e|copying|notice)(\.(md|txt))?$`)

// TestModulesHavePermittedLicences checks the licence of every module that is linked into the program, and that
// licenses/modules.txt contains them all.
func TestModulesHavePermittedLicences(t *testing.T) {
	t.Parallel()
	modules := map[string][]string{} // by the texts of their licence
	for name, dir := range linkedModules(t) {
		text := licenceOf(t, dir)
		if !slices.ContainsFunc(permitted, func(sentence string) bool {
			return strings.Contains(strings.Join(strings.Fields(text), " "), sentence)
		}) {
			t.Errorf("%s: the licence is not one of those that are permitted:\n%.200s", name, text)
		}
		modules[text] = append(modules[text], name)
	}
	var all []string
	for text, names := range modules {
		slices.Sort(names)
		all = append(all, strings.Join(names, "\n")+"\n\n"+text)
	}
	slices.Sort(all)
	want := strings.Join(all, "\n"+strings.Repeat("-", 80)+"\n\n")
	const path = "licenses/modules.txt"
	if *golden {
		if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		return // the program still has the old text
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s is stale (%v); renew it: go test ./static -run %s -golden", path, err, t.Name())
	}
	if !strings.HasSuffix(Licences(), want) {
		t.Error("Licences lacks the modules")
	}
}

// linkedModules returns the directories of the modules in the program for Linux, by their names.
func linkedModules(t *testing.T) map[string]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=Module", "..")
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64")
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	dirs := map[string]string{}
	for decoder := json.NewDecoder(output); ; {
		var p struct {
			Module *struct {
				Path, Dir string
				Main      bool
			}
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if p.Module != nil && !p.Module.Main {
			dirs[p.Module.Path] = p.Module.Dir
		}
	}
	if err := cmd.Wait(); err != nil || len(dirs) == 0 {
		t.Fatalf("go list: %d modules, %v", len(dirs), err)
	}
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	dirs["the Go standard library"] = strings.TrimSpace(string(root))
	return dirs
}

// licenceOf returns the texts that must accompany copies of a module.
func licenceOf(t *testing.T, dir string) string {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, file := range files {
		if !licenceFile.MatchString(file.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		texts[file.Name()] = strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n")) + "\n"
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		all = append(all, texts[name])
	}
	return strings.Join(all, "\n")
}
