package systemd_test

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // time zones, independent of the machine
)

// zones change their clocks at different hours: at midnight, one, two, three, a quarter to three, on a weekday, by half an hour, by two
// hours.
var zones = []string{
	"Africa/Cairo", "Africa/Casablanca", "America/Havana", "America/New_York", "America/Nuuk", "America/Santiago", "America/St_Johns", "Antarctica/Troll",
	"Asia/Beirut", "Asia/Gaza", "Asia/Jerusalem", "Asia/Nicosia", "Atlantic/Azores", "Australia/Adelaide", "Australia/Lord_Howe", "Australia/Sydney",
	"Europe/Athens", "Europe/Berlin", "Europe/Bucharest", "Europe/Chisinau", "Europe/Helsinki", "Europe/Kyiv", "Europe/Lisbon", "Europe/London",
	"Europe/Riga", "Europe/Sofia", "Europe/Tallinn", "Europe/Vilnius", "Pacific/Auckland", "Pacific/Chatham", "Pacific/Easter", "UTC",
}

// daysWithoutOne returns the days of two years on which a time of day, hh:mm, does not occur exactly once.
func daysWithoutOne(t *testing.T, zone, at string) (days []string) {
	t.Helper()
	location, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	end := begin.AddDate(2, 0, 0)
	runs := map[string]int{}
	for moment := begin; moment.Before(end); moment = moment.Add(5 * time.Minute) {
		if local := moment.In(location); local.Format("15:04") == at {
			runs[local.Format(time.DateOnly)]++
		}
	}
	for day := begin.AddDate(0, 0, 2); day.Before(end.AddDate(0, 0, -2)); day = day.AddDate(0, 0, 1) {
		if name := day.Format(time.DateOnly); runs[name] != 1 {
			days = append(days, name)
		}
	}
	return days
}

// TestOneRunPerNight reads the start times of the timer and of cron. That of cron is in local time, so it must occur once on every
// day of every zone.
func TestOneRunPerNight(t *testing.T) {
	if days := daysWithoutOne(t, "Europe/Athens", "03:10"); len(days) != 4 {
		t.Fatalf("03:10 in Athens is missing or occurs twice on %v, want 4 days", days)
	}
	timer := regexp.MustCompile(`(?m)^OnCalendar=\*-\*-\* (\d\d:\d\d):00( UTC)?$`).FindStringSubmatch(read(t, "systemscale-etl.timer"))
	cron := regexp.MustCompile(`(?m)^(\d+) (\d+) \* \* \*  systemscale-etl `).FindStringSubmatch(read(t, "systemscale-etl.cron"))
	if timer == nil || cron == nil {
		t.Fatal("the timer or the cron file does not start a run every night")
	}
	for _, zone := range zones {
		if at := pad(cron[2]) + ":" + pad(cron[1]); len(daysWithoutOne(t, zone, at)) > 0 {
			t.Errorf("cron: %s in %s is missing or occurs twice on %v", at, zone, daysWithoutOne(t, zone, at))
		}
		if timer[2] == "" && len(daysWithoutOne(t, zone, timer[1])) > 0 {
			t.Errorf("the timer: %s in %s is missing or occurs twice on %v", timer[1], zone, daysWithoutOne(t, zone, timer[1]))
		}
	}
	t.Setenv("TZ", "Europe/Athens")
	output, err := analyze(t, ".", "calendar", "--base-time=2026-03-28 12:00:00 UTC", "*-*-* "+timer[1]+":00"+timer[2])
	if err != nil || !strings.Contains(output, "2026-03-29") {
		t.Errorf("the next run after noon of 2026-03-28 is not on 2026-03-29 (%v):\n%s", err, output)
	}
}

// pad returns a number with two digits.
func pad(number string) string {
	if len(number) < 2 {
		return "0" + number
	}
	return number
}

// asSystemd returns the assignments of an EnvironmentFile as systemd.exec(5) describes them: except for
// blank lines and comments, each line is an assignment. Quotes are removed. In single quotes, no other character is special.
func asSystemd(t *testing.T, text string) map[string]string {
	t.Helper()
	assignments := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		name, value, found := strings.Cut(line, "=")
		if !found {
			t.Errorf("systemd ignores %q", line)
			continue
		}
		switch {
		case len(value) > 1 && value[0] == '\'':
			end := strings.IndexByte(value[1:], '\'')
			if end != len(value)-2 {
				t.Errorf("the quotes of %q do not end with the line", line)
			}
			value = value[1 : 1+end]
		case strings.ContainsAny(value, `"\`):
			t.Errorf("%q has quotes or escapes that systemd and shells read differently", line)
		}
		assignments[name] = value
	}
	return assignments
}

// asShell returns a variable after a shell has sourced a file as the cron file does.
func asShell(t *testing.T, shell, file, name string) string {
	t.Helper()
	script := `set -a; . "$0"; set +a; exec sh -c 'printf %s "$` + name + `"'`
	command := exec.CommandContext(t.Context(), shell, "-c", script, file)
	command.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin"}
	value, err := command.Output()
	if err != nil {
		t.Errorf("%s: %v", shell, err)
	}
	return string(value)
}

// TestEnvironmentFile writes a URL with the special characters of shells to etl.env. systemd and shells must read the same value.
func TestEnvironmentFile(t *testing.T) {
	example := read(t, "etl.env")
	present := asSystemd(t, example)["DATABASE_URL"]
	if !strings.HasPrefix(present, "postgres://") {
		t.Fatalf("DATABASE_URL is %q in the example", present)
	}
	const hostile = "postgres://etl:a$$b`c`$(d)${HOME}\\n\"e;f|g<h>!~*%27@[::1]:5432/x?sslmode=disable&application_name=nightly"
	for _, url := range []string{present, hostile} {
		text := strings.Replace(example, present, url, 1)
		directory := t.TempDir()
		write(t, directory+"/etl.env", text, 0o600)
		if got := asSystemd(t, text); len(got) != 1 || got["DATABASE_URL"] != url {
			t.Errorf("systemd reads %q, want %q", got, url)
		}
		for _, shell := range []string{"sh", "dash", "bash", "zsh", "ksh"} {
			path, err := exec.LookPath(shell)
			if err != nil {
				continue // sh is everywhere
			}
			if got := asShell(t, path, directory+"/etl.env", "DATABASE_URL"); got != url {
				t.Errorf("%s reads %q, want %q", shell, got, url)
			}
		}
	}
}
