package clients

// What nodes compare of a client.

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// Whatever the clients file says differs is noticed; of what is secret, only whether there is one.
func TestEveryKeyOfAClientIsCompared(t *testing.T) {
	notCompared := []string{"LogoFile", "Brand"} // a path of the node's own, and what is made of the others
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Client]()) {
		with := func(text string) string {
			var c Client
			v := reflect.ValueOf(&c).Elem().FieldByIndex(field.Index)
			switch v.Kind() {
			case reflect.String:
				v.SetString(text)
			case reflect.Bool:
				v.SetBool(true)
			case reflect.Slice:
				v.Set(reflect.ValueOf([]string{text}))
			case reflect.Map:
				v.Set(reflect.MakeMap(v.Type()))
				v.SetMapIndex(reflect.ValueOf(text).Convert(v.Type().Key()), reflect.Zero(v.Type().Elem()))
			}
			return c.Settings()
		}
		if slices.Contains(notCompared, field.Name) {
			continue
		}
		if with("a") == (Client{}).Settings() {
			t.Errorf("%s is not compared", field.Name)
		}
		if secret := strings.Contains(field.Name, "Secret"); secret && with("a") != with("b") {
			t.Errorf("a hash tells who guesses %s", field.Name)
		}
	}
	one, two := Client{Secret: "a"}, Client{Secret: "a", Secrets: []string{"b"}}
	if one.Settings() == two.Settings() {
		t.Error("how many secrets there are is not compared")
	}
	if inList := (Client{Secrets: []string{"b", "c"}}); inList.Settings() != two.Settings() {
		t.Error("secret is not one of secrets")
	}
	logo := Client{}
	logo.Brand.Logo.Content = []byte("a picture")
	if logo.Settings() == (Client{}).Settings() {
		t.Error("the logo is not compared")
	}
}
