package main

// Where the configuration comes from: the environment, over the same keys in a TOML file, over the
// defaults. What the keys are stands in config_keys.go. Mistakes stop the start with a sentence that says
// what to write instead.

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// loadConfig reads every key; file may be empty. The first mistake, in the table's order, is the
// error: an operator mends one line at a time.
func loadConfig(env []string, file string) (*config, error) {
	c := new(config)
	keys := c.keys()
	fromFile, err := readConfigFile(file, keys)
	if err != nil {
		return nil, err
	}
	fromEnv, err := readEnvironment(env, keys)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		value := k.fallback
		for _, source := range []map[string]string{fromFile, fromEnv} {
			if v, ok := source[k.name]; ok && (v != "" || k.takesEmpty) {
				value = v
			}
		}
		if value == "" {
			continue
		}
		if err := k.set(value); err != nil {
			return nil, k.mistake(value, err)
		}
	}
	return c, c.checkTogether()
}

// mistake names the key, and the value unless it may hold a secret.
func (k key) mistake(value string, err error) error {
	if k.secret {
		return fmt.Errorf("%s: %w", k.name, err)
	}
	return fmt.Errorf("%s is %q: %w", k.name, value, err)
}

// readEnvironment picks Latchkey's keys out of env and refuses one it does not know: a mistyped
// key that is silently ignored is a setting the operator believes in.
func readEnvironment(env []string, keys []key) (map[string]string, error) {
	all := map[string]string{}
	for _, line := range env {
		name, value, _ := strings.Cut(line, "=")
		all[name] = value
	}
	_, inKubernetes := all["KUBERNETES_SERVICE_HOST"]
	ours := map[string]string{}
	for _, line := range env {
		name, _, _ := strings.Cut(line, "=")
		if !strings.HasPrefix(name, "LATCHKEY_") || inKubernetes && isServiceLink(name) {
			continue
		}
		if !known(name, keys) {
			return nil, unknownKey("the environment", name, keys)
		}
		ours[name] = all[name]
	}
	return ours, nil
}

// isServiceLink: Kubernetes puts such variables into every container of a namespace that has a
// service called "latchkey"; they are not the operator's words.
func isServiceLink(name string) bool {
	return name == "LATCHKEY_PORT" || strings.HasPrefix(name, "LATCHKEY_PORT_") || strings.HasPrefix(name, "LATCHKEY_SERVICE_")
}

// readConfigFile reads the TOML file. Strings, whole numbers, on/off as booleans and lists are
// taken; each becomes the text that the environment would hold, so there is one parser per key.
func readConfigFile(file string, keys []key) (map[string]string, error) {
	if file == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	var table map[string]any
	if err := toml.Unmarshal(raw, &table); err != nil {
		return nil, tomlMistake(file, err)
	}
	values := map[string]string{}
	for _, name := range sortedKeys(table) {
		if !known(name, keys) {
			return nil, unknownKey(file, name, keys)
		}
		text, err := tomlText(table[name])
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", file, name, err)
		}
		values[name] = text
	}
	return values, nil
}

// tomlMistake says where a TOML file is wrong, on one line.
func tomlMistake(file string, err error) error {
	if strict, ok := errors.AsType[*toml.StrictMissingError](err); ok {
		first := strict.Errors[0]
		line, _ := first.Position()
		return fmt.Errorf("%s, line %d: %s is not a key of this file", file, line, strings.Join(first.Key(), "."))
	}
	if at, ok := errors.AsType[*toml.DecodeError](err); ok {
		line, _ := at.Position()
		return fmt.Errorf("%s, line %d: %s", file, line, strings.TrimPrefix(at.Error(), "toml: "))
	}
	return fmt.Errorf("%s: %w", file, err)
}

func tomlText(value any) (string, error) {
	switch v := value.(type) {
	case string:
		return v, nil
	case int64:
		return fmt.Sprint(v), nil
	case bool:
		if v {
			return "on", nil
		}
		return "off", nil
	case []any:
		parts := make([]string, 0, len(v))
		for _, item := range v {
			text, ok := item.(string)
			if !ok {
				return "", errors.New("write a list of strings")
			}
			parts = append(parts, text)
		}
		return strings.Join(parts, ","), nil
	}
	return "", errors.New("write a string, a whole number or a list of strings")
}

func known(name string, keys []key) bool {
	for _, k := range keys {
		if k.name == name {
			return true
		}
	}
	return false
}

// unknownKey suggests the key that was probably meant.
func unknownKey(where, name string, keys []key) error {
	const prefix = "LATCHKEY_"
	said := strings.TrimPrefix(strings.ToUpper(name), prefix)
	best, distance := "", len(said)/2+1
	for _, k := range keys {
		if d := editDistance(said, strings.TrimPrefix(k.name, prefix)); d < distance {
			best, distance = k.name, d
		}
	}
	if best == "" {
		return fmt.Errorf("%s has %s, which is no key of Latchkey's: take it out, or look for the right one in `latchkey serve --help`", where, name)
	}
	return fmt.Errorf("%s has %s, which is no key of Latchkey's: write %s", where, name, best)
}

// editDistance counts the letters to add, drop or change between a and b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
