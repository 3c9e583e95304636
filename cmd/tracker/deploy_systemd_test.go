package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// unitSettings are the settings that the unit uses, and how their values look
// (systemd.unit(5), systemd.service(5), systemd.exec(5)). Nothing else may be in it.
func unitSettings() map[string]*regexp.Regexp {
	yes, span := regexp.MustCompile(`^yes$`), regexp.MustCompile(`^\d+(ms|s|min)?$`)
	number, some, units := regexp.MustCompile(`^\d+$`), regexp.MustCompile(`.`), regexp.MustCompile(`^([a-z-]+\.target ?)+$`)
	known := map[string]*regexp.Regexp{
		"Unit.Description": some, "Unit.After": units, "Unit.Wants": units, "Unit.StartLimitIntervalSec": span, "Unit.StartLimitBurst": number,
		"Service.EnvironmentFile": regexp.MustCompile(`^-?/\S+$`), "Service.Environment": regexp.MustCompile(`^[A-Z_]+=\S*$`), "Service.ExecStart": regexp.MustCompile(`^/\S+ serve$`),
		"Service.Restart": regexp.MustCompile(`^(no|always|on-failure)$`), "Service.RestartSec": span, "Service.TimeoutStopSec": span,
		"Service.KillMode": regexp.MustCompile(`^(mixed|control-group|process)$`), "Service.LimitNOFILE": number,
		"Service.StateDirectory": regexp.MustCompile(`^[^/\s]\S*$`), "Service.StateDirectoryMode": regexp.MustCompile(`^0[0-7]{3}$`), "Service.UMask": regexp.MustCompile(`^0[0-7]{3}$`),
		"Service.ProtectSystem": regexp.MustCompile(`^strict$`), "Service.RestrictAddressFamilies": regexp.MustCompile(`^(AF_[A-Z0-9]+ ?)+$`),
		"Service.SystemCallArchitectures": regexp.MustCompile(`^native$`), "Service.SystemCallFilter": regexp.MustCompile(`^@[a-z-]+$`), "Service.CapabilityBoundingSet": regexp.MustCompile(`^$`),
		"Install.WantedBy": units,
	}
	for _, name := range []string{"DynamicUser", "NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices", "ProtectKernelTunables", "ProtectKernelModules", "ProtectKernelLogs", "ProtectControlGroups",
		"ProtectClock", "RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID", "LockPersonality", "MemoryDenyWriteExecute"} {
		known["Service."+name] = yes
	}
	return known
}

// checkUnit says what is wrong with the unit.
func checkUnit(text string) (problems []string) {
	settings, section, known := map[string][]string{}, "", unitSettings()
	for line := range strings.SplitSeq(text, "\n") {
		key, value, ok := strings.Cut(line, "=")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case slices.Contains([]string{"[Unit]", "[Service]", "[Install]"}, line):
			section = strings.Trim(line, "[]") + "."
		case !ok || known[section+key] == nil:
			problems = append(problems, "not a setting: "+section+line)
		case !known[section+key].MatchString(value):
			problems = append(problems, "not a value: "+section+line)
		default:
			settings[section+key] = append(settings[section+key], value)
		}
	}
	for name := range known {
		if list := settings[name]; len(list) == 0 || (len(list) > 1 && name != "Service.Environment" && name != "Service.EnvironmentFile") {
			problems = append(problems, fmt.Sprintf("%s is there %d times", name, len(list)))
		}
	}
	env := map[string]string{}
	for _, pair := range settings["Service.Environment"] {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	for _, name := range unknownSettings(env) {
		problems = append(problems, "there is no setting "+name)
	}
	cfg, err := loaded(env)
	if err != nil {
		problems = append(problems, err.Error())
	}
	if list := settings["Service.TimeoutStopSec"]; len(list) == 1 {
		if stop, err := time.ParseDuration(list[0]); err != nil || stop <= cfg.Drain+farewell {
			problems = append(problems, fmt.Sprintf("%v to stop, and %v to drain: %v", stop, cfg.Drain, err))
		}
	}
	return problems
}

// TestDeploy_systemd_unit reads the unit strictly; where systemd is installed, it
// has its say as well. It only warns of what it does not understand.
func TestDeploy_systemd_unit(t *testing.T) {
	t.Parallel()
	good := deployFile(t, "tracker@.service")
	for _, p := range checkUnit(good) {
		t.Error(p)
	}
	for _, m := range []struct{ old, new, says string }{
		{"NoNewPrivileges=yes", "NoNewPrivilege=yes", "not a setting: Service.NoNewPrivilege"},
		{"TimeoutStopSec=40s", "TimeoutStopSec=40q", "not a value: Service.TimeoutStopSec"},
		{"TimeoutStopSec=40s", "TimeoutStopSec=20s", "20s to drain"},
		{"[Service]", "[Servise]", "not a setting"},
		{"Restart=on-failure", "Restart=sometimes", "not a value"},
		{"TRACKER_DRAIN=20s", "TRACKER_DRAIN=soon", "TRACKER_DRAIN must be"},
		{"Environment=TRACKER_DATA_DIR", "Environment=TRACKER_DATADIR", "no setting TRACKER_DATADIR"},
		{"LimitNOFILE=200000\n", "", "LimitNOFILE is there 0 times"},
	} {
		bad := strings.Replace(good, m.old, m.new, 1)
		if problems := strings.Join(checkUnit(bad), "\n"); bad == good || !strings.Contains(problems, m.says) {
			t.Errorf("%s → %s: %q is not in %q", m.old, m.new, m.says, problems)
		}
	}
	if analyze, err := exec.LookPath("systemd-analyze"); err == nil {
		if said := verifyUnit(t, analyze, good); said != "" {
			t.Errorf("systemd says: %s", said)
		}
		if verifyUnit(t, analyze, strings.Replace(good, "NoNewPrivileges", "NoNewPrivilege", 1)) == "" {
			t.Error("systemd says nothing of a mistake")
		}
	}
}

// verifyUnit is what systemd says of the unit, with a program that is there.
func verifyUnit(t *testing.T, analyze, text string) (said string) {
	t.Helper()
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	unit := file(t, dir, "tracker@orders.service", strings.Replace(text, "/usr/local/bin/tracker", program, 1))
	output, err := exec.Command(analyze, "verify", "--man=no", filepath.Clean(unit)).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	for line := range strings.SplitSeq(string(output), "\n") {
		if strings.Contains(line, "tracker@") { // it may say things of the machine, too
			said += line + "\n"
		}
	}
	return said
}
