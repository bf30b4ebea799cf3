package main

// Reading the clients file, and saying in which line of it a mistake is.

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/pelletier/go-toml/v2"

	"latchkey/internal/brand"
	"latchkey/internal/clients"
)

// setClients reads the clients file, strictly.
func (c *config) setClients(file string) error {
	raw, found, err := readSecretFile("clients file", file)
	if err != nil {
		return fmt.Errorf("read clients: %w", err)
	}
	var parsed struct {
		Client []clients.Client `toml:"client"`
	}
	decoder := toml.NewDecoder(bytes.NewReader(raw)).DisallowUnknownFields()
	if err := decoder.Decode(&parsed); err != nil {
		return tomlMistake(file, err)
	}
	if slices.ContainsFunc(parsed.Client, func(client clients.Client) bool { return client.Confidential() || client.NextAuthSecret != "" }) {
		warning, err := found.judge()
		if err != nil {
			return err
		}
		c.remark(warning)
	}
	c.clientsFile = clientsFile{file, linesOfClients(raw)}
	for i := range parsed.Client {
		if err := readLogo(&parsed.Client[i], filepath.Dir(file)); err != nil {
			return c.clientsFile.mistake(i, "logo_file", fmt.Errorf("client %q: %w", parsed.Client[i].Alias, err))
		}
	}
	c.Clients, err = clients.New(parsed.Client)
	return c.clientsFile.explain(err)
}

// readLogo reads the logo that pages show. A relative path starts at the clients file's folder.
func readLogo(client *clients.Client, folder string) error {
	if client.LogoFile == "" {
		return nil
	}
	file := client.LogoFile
	if !filepath.IsAbs(file) {
		file = filepath.Join(folder, file)
	}
	content, err := readFile(file)
	if err != nil {
		return fmt.Errorf("logo_file: %w", err)
	}
	client.Brand.Logo, err = brand.ReadImage(content)
	if err != nil {
		return fmt.Errorf("logo_file %s: %w", file, err)
	}
	return nil
}

// clientsFile is the file that the clients came from, and for each [[client]] in it the line of each key; that of the
// [[client]] itself is under "".
type clientsFile struct {
	path  string
	lines []map[string]int
}

// explain adds file and line to what internal/clients says is wrong.
func (f clientsFile) explain(err error) error {
	if fault, ok := errors.AsType[*clients.Fault](err); ok {
		return f.mistake(fault.Client, fault.Key, err)
	}
	return err
}

// mistake says where a client is wrong, as tomlMistake does; a key that is missing, or that has a header of its own, is
// looked for at its [[client]].
func (f clientsFile) mistake(client int, key string, err error) error {
	if client >= len(f.lines) { // written in another way that TOML has
		return fmt.Errorf("%s: %w", f.path, err)
	}
	line, ok := f.lines[client][key]
	if !ok {
		line = f.lines[client][""]
	}
	return fmt.Errorf("%s, line %d: %w", f.path, line, err)
}

var (
	tomlHeader   = regexp.MustCompile(`^\s*\[`)
	clientHeader = regexp.MustCompile(`^\s*\[\[\s*client\s*\]\]`)
	keyOfLine    = regexp.MustCompile(`^\s*(\w+)\s*=`)
)

// linesOfClients finds the keys in a file that the decoder has read.
func linesOfClients(raw []byte) (all []map[string]int) {
	line, inClient := 0, false
	for text := range bytes.Lines(raw) {
		line++
		switch {
		case clientHeader.Match(text):
			all, inClient = append(all, map[string]int{"": line}), true
		case tomlHeader.Match(text):
			inClient = false
		case inClient:
			if key := keyOfLine.FindSubmatch(text); key != nil {
				all[len(all)-1][string(key[1])] = line
			}
		}
	}
	return all
}
