package main

// Where the configuration comes from: the environment, over the same keys in a TOML file, over the
// defaults. What the keys are stands in config_keys.go. Mistakes stop the start with a sentence that says
// what to write instead.

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// loadConfig reads every key; file may be empty. The first mistake, in the table's order, is the
// error: an operator fixes one line at a time.
func loadConfig(env []string, file string) (*config, error) {
	c := new(config)
	if err := c.read(env, file); err != nil {
		return nil, err
	}
	return c, c.checkTogether()
}

// read sets the named keys; all, where none is named.
func (c *config) read(env []string, file string, only ...string) error {
	keys := c.keys()
	fromFile, err := c.readConfigFile(file, keys)
	if err != nil {
		return err
	}
	fromEnv, err := readEnvironment(env, keys)
	if err != nil {
		return err
	}
	for _, k := range keys {
		value := k.fallback
		for _, source := range []map[string]string{fromFile, fromEnv} {
			if v, ok := source[k.name]; ok && (v != "" || k.takesEmpty) {
				value = v
			}
		}
		if value == "" || len(only) > 0 && !slices.Contains(only, k.name) {
			continue
		}
		err := checkStray(value)
		if err == nil {
			err = k.set(value)
		}
		if err != nil {
			return k.mistake(value, err)
		}
	}
	return nil
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
		all[strings.TrimPrefix(name, string(byteOrderMark))] = value
	}
	ours := map[string]string{}
	for _, line := range env {
		name, _, _ := strings.Cut(strings.TrimPrefix(line, string(byteOrderMark)), "=")
		if !strings.HasPrefix(name, "LATCHKEY_") || isServiceLink(name, all) && !known(name, keys) {
			continue
		}
		if !known(name, keys) {
			return nil, unknownKey("the environment", name, keys)
		}
		ours[name] = all[name]
	}
	if fromWindows(ours) {
		for name, value := range ours {
			ours[name] = strings.TrimSuffix(value, "\r")
		}
	}
	return ours, nil
}

// readConfigFile reads the TOML file. Strings, whole numbers, on/off as booleans and lists are
// taken; each becomes the text that the environment would hold, so there is one parser per key.
func (c *config) readConfigFile(file string, keys []key) (map[string]string, error) {
	if file == "" {
		return nil, nil
	}
	raw, found, err := readSecretFile("configuration file", file)
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
	if !slices.ContainsFunc(keys, func(k key) bool { return k.holdsSecret(values[k.name]) }) {
		return values, nil
	}
	warning, err := found.judge()
	c.remark(warning)
	return values, err
}

// holdsSecret says whether a value would help a stranger: of URLs only those with a password.
func (k key) holdsSecret(value string) bool {
	if !k.secret || value == "" {
		return false
	}
	u, err := url.Parse(value)
	if err != nil || !strings.Contains(value, "://") {
		return true // such as a PostgreSQL URL of several hosts, which net/url does not read
	}
	_, password := u.User.Password()
	return password || u.Query().Has("password") || u.Query().Has("sslpassword")
}

// remark keeps a warning for the log of `serve`.
func (c *config) remark(warning string) {
	if warning != "" && !slices.Contains(c.remarks, warning) {
		c.remarks = append(c.remarks, warning)
	}
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
		return fmt.Errorf("unknown key %s in %s: remove it, or find the right one in `latchkey serve --help`", name, where)
	}
	return fmt.Errorf("unknown key %s in %s: write %s", name, where, best)
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
