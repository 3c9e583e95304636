package main

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// During a rolling update the version before runs on the schema of the new one, so
// every migration after the first only expands: it adds tables, columns that have
// a value by themselves, and indexes that refuse nothing. What is no longer used
// is dropped by a release after the next, whose file says so by a line
//
//	-- contracts: what nobody uses since which version
func TestMigrations_are_survived_by_the_version_before(t *testing.T) {
	t.Parallel()
	files := 0
	for _, dialect := range []string{"sqlite", "postgres"} {
		for _, set := range migrations(dialect) {
			names, err := fs.Glob(set.FS, "*.sql")
			if err != nil || len(names) == 0 {
				t.Fatalf("%s, %s: %v", set.Name, dialect, err)
			}
			slices.Sort(names)
			for i, name := range names {
				text, err := fs.ReadFile(set.FS, name)
				if err != nil {
					t.Fatal(err)
				}
				if !strings.HasPrefix(name, fmt.Sprintf("%05d_", i+1)) {
					t.Errorf("%s/%s: the number after %d is missing; two branches have made the same one", set.Name, name, i)
				}
				if i == 0 {
					continue
				}
				files++
				for _, problem := range contractions(string(text)) {
					t.Errorf("%s/%s (%s): %s", set.Name, name, dialect, problem)
				}
			}
		}
	}
	if files < 12 {
		t.Errorf("only %d migrations were looked at", files)
	}
}

// Both databases go through the same versions.
func TestMigrations_are_the_same_for_both_databases(t *testing.T) {
	t.Parallel()
	other := migrations("postgres")
	for i, set := range migrations("sqlite") {
		here, err := fs.Glob(set.FS, "*.sql")
		if err != nil {
			t.Fatal(err)
		}
		there, err := fs.Glob(other[i].FS, "*.sql")
		if err != nil || !slices.Equal(here, there) {
			t.Errorf("%s: SQLite has %v, PostgreSQL %v: %v", set.Name, here, there, err)
		}
	}
}

func TestMigrations_that_the_version_before_does_not_survive_are_found(t *testing.T) {
	t.Parallel()
	for sql, says := range map[string]string{
		"DROP TABLE orders;":                                                    "DROP TABLE",
		"DROP INDEX orders_merchant;":                                           "DROP INDEX",
		"ALTER TABLE orders DROP COLUMN reference;":                             "DROP COLUMN",
		"ALTER TABLE orders RENAME COLUMN reference TO name;":                   "RENAME",
		"alter table orders rename to purchases;":                               "RENAME",
		"ALTER TABLE orders ALTER COLUMN amount TYPE NUMERIC;":                  "ALTER COLUMN",
		"ALTER TABLE orders ADD COLUMN note TEXT NOT NULL;":                     "NOT NULL without a DEFAULT",
		"ALTER TABLE orders ADD note TEXT NOT NULL;":                            "NOT NULL without a DEFAULT",
		"ALTER TABLE orders ADD COLUMN note TEXT UNIQUE;":                       "refuse",
		"ALTER TABLE orders ADD COLUMN n BIGINT DEFAULT 0 CHECK (n > 0);":       "refuse",
		"ALTER TABLE orders ADD COLUMN at BIGINT NOT NULL DEFAULT now();":       "constant",
		"ALTER TABLE orders ADD CONSTRAINT positive CHECK (amount > 0);":        "refuse",
		"CREATE UNIQUE INDEX one ON orders (reference);":                        "unique",
		"UPDATE orders SET reference = '';":                                     "UPDATE",
		"CREATE TRIGGER x AFTER INSERT ON orders BEGIN SELECT 1; END;":          "CREATE TRIGGER",
		"CREATE INDEX fine ON orders (a); DROP TABLE IF EXISTS orders_archive;": "DROP TABLE",
		"-- a comment; with a semicolon\nTRUNCATE orders;":                      "TRUNCATE",
	} {
		if problems := strings.Join(contractions("-- +goose Up\n"+sql), "\n"); !strings.Contains(strings.ToUpper(problems), strings.ToUpper(says)) {
			t.Errorf("%s: %q is not in %q", sql, says, problems)
		}
	}
	const fine = `-- +goose Up
-- Nothing of this harms; DROP TABLE is only said.
CREATE TABLE notes (id TEXT PRIMARY KEY, text TEXT NOT NULL CHECK (text <> ';'));
CREATE UNIQUE INDEX notes_text ON notes (text);
CREATE INDEX orders_note ON orders (note) WHERE note <> '';
ALTER TABLE orders ADD COLUMN note TEXT;
ALTER TABLE orders ADD COLUMN priority BIGINT NOT NULL DEFAULT 0;
-- +goose Down
DROP TABLE notes;`
	if problems := contractions(fine); problems != nil {
		t.Errorf("%q", problems)
	}
	if problems := contractions("-- contracts: orders.note, unused since 1.4\n-- +goose Up\nALTER TABLE orders DROP COLUMN note;"); problems != nil {
		t.Errorf("a contraction that says so: %q", problems)
	}
}

// contractions says what of a migration the version before would not survive, and
// what to do instead.
func contractions(text string) (problems []string) {
	if regexp.MustCompile(`(?m)^-- contracts: \S`).MatchString(text) {
		return nil
	}
	up, _, _ := strings.Cut(text, "-- +goose Down")
	var created []string
	for _, statement := range statements(up) {
		words := strings.ToUpper(statement)
		switch m := regexp.MustCompile(`(?i)^CREATE TABLE (?:IF NOT EXISTS )?(\w+)`).FindStringSubmatch(statement); {
		case m != nil:
			created = append(created, m[1])
			continue
		case strings.HasPrefix(words, "CREATE INDEX "):
			continue
		}
		if problem := contraction(words, created); problem != "" {
			problems = append(problems, fmt.Sprintf("%s. %s", statement, problem))
		}
	}
	return problems
}

// contraction is about one statement, in capitals, that is neither a new table nor
// a plain index.
func contraction(words string, created []string) string {
	onNew := regexp.MustCompile(`^CREATE UNIQUE INDEX \w+ ON (\w+)`).FindStringSubmatch(words)
	column := regexp.MustCompile(`^ALTER TABLE \w+ ADD (?:COLUMN )?(?:IF NOT EXISTS )?\w+ \w+(.*)$`).FindStringSubmatch(words)
	switch {
	case onNew != nil && slices.ContainsFunc(created, func(name string) bool { return strings.EqualFold(name, onNew[1]) }):
		return ""
	case onNew != nil:
		return "A unique index can refuse what the version before writes: let the code keep the rule for a release first"
	case strings.Contains(words, "ADD CONSTRAINT"), column != nil && regexp.MustCompile(`\b(UNIQUE|CHECK|REFERENCES|PRIMARY|GENERATED)\b`).MatchString(column[1]):
		return "A constraint can refuse what the version before writes: let the code keep the rule for a release first"
	case column == nil:
		return "The version before still reads and writes what this changes: add the new beside the old, write both, and drop the old in a release after the next (with a line -- contracts: …)"
	case strings.Contains(column[1], "DEFAULT") && !regexp.MustCompile(`DEFAULT ('[^']*'|-?\d+|NULL|TRUE|FALSE)(\s|$)`).MatchString(column[1]):
		return "Only a constant DEFAULT leaves the rows as they are; anything else rewrites the table while everybody waits"
	case strings.Contains(column[1], "NOT NULL") && !strings.Contains(column[1], "DEFAULT"):
		return "A column that is NOT NULL without a DEFAULT refuses every row that the version before inserts"
	}
	return ""
}

// statements are those of a script, each in one line and without comments.
func statements(sql string) (list []string) {
	sql = regexp.MustCompile(`--[^\n]*`).ReplaceAllString(sql, "")
	quoted, start := false, 0
	for i, c := range sql + ";" {
		switch {
		case c == '\'':
			quoted = !quoted
		case c == ';' && !quoted:
			if one := strings.Join(strings.Fields(sql[start:i]), " "); one != "" {
				list = append(list, one)
			}
			start = min(i+1, len(sql))
		}
	}
	return list
}
