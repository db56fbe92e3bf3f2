package kubernetes_test

import (
	"bufio"
	"fmt"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// unreachable is a database at a port that is never open.
const unreachable = "DATABASE_URL=postgres://systemscale@127.0.0.1:1/systemscale?connect_timeout=1"

var builds sync.Map // of sync.OnceValues, by program

// program compiles a program of this project once, and returns a command that runs it.
func program(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	directory, err := filepath.Abs("../../.run/kubernetes-test")
	if err != nil {
		t.Fatal(err)
	}
	build, _ := builds.LoadOrStore(name, sync.OnceValues(func() (string, error) {
		path := filepath.Join(directory, name)
		out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "../../"+name).CombinedOutput()
		if err != nil {
			err = fmt.Errorf("build %s: %w\n%s", name, err, out)
		}
		return path, err
	}))
	path, err := build.(func() (string, error))()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), path, args...)
	command.Env = []string{unreachable}
	return command
}

// exitCode runs a command to its end.
func exitCode(command *exec.Cmd) (code int, output []byte) {
	output, _ = command.CombinedOutput()
	return command.ProcessState.ExitCode(), output
}

// The exit codes of etl run, by what a second attempt could change. A code that is in no list fails the test.
var (
	worthAnAttempt = []int{1, 4, 5, 130}
	hopeless       = []int{2, 3, 7, 20, 21, 22, 23, 24, 25, 26, 27}
	notOfARun      = []int{0, 6, 10}
)

// codeInHelp matches a code, or a range of codes, in the list that etl --help shows.
var codeInHelp = regexp.MustCompile(`(?:^|, )(\d+)(?: to (\d+))? `)

// TestExitCodes compares the pod failure policy with the exit codes that etl has.
func TestExitCodes(t *testing.T) {
	_, help := exitCode(program(t, "etl", "--help"))
	_, list, found := strings.Cut(strings.Join(strings.Fields(string(help)), " "), "Exit codes: ")
	if !found {
		t.Fatalf("the help lists no exit codes:\n%s", help)
	}
	list, _, _ = strings.Cut(list, ". ")
	var codes []int
	for _, match := range codeInHelp.FindAllStringSubmatch(list, -1) {
		first, _ := strconv.Atoi(match[1])
		last := first
		if match[2] != "" {
			last, _ = strconv.Atoi(match[2])
		}
		for code := first; code <= last; code++ {
			codes = append(codes, code)
		}
	}
	slices.Sort(codes)
	if want := slices.Sorted(slices.Values(slices.Concat(worthAnAttempt, hopeless, notOfARun))); !slices.Equal(codes, want) {
		t.Errorf("etl has the exit codes %v, and the lists of this test %v", codes, want)
	}
	// The programs end so, as far as it needs no database.
	for want, args := range map[int][]string{
		2: {"run", "--csv", t.TempDir(), "--no-such-flag"},
		3: {"run", "--csv", filepath.Join(t.TempDir(), "none")},
		4: {"migrate"},
	} {
		if code, out := exitCode(program(t, "etl", args...)); code != want {
			t.Errorf("etl %v: exit code %d, want %d\n%s", args, code, want, out)
		}
	}
	each(t, func(t *testing.T, found *objects) {
		cron := found.cronJobs["etl"].Spec
		job := cron.JobTemplate.Spec
		if cron.ConcurrencyPolicy != batch.ForbidConcurrent || *job.BackoffLimit < 1 {
			t.Errorf("the policy is %s, with %d more attempts", cron.ConcurrencyPolicy, *job.BackoffLimit)
		}
		wantPolicy(t, "etl", job, hopeless)
		wantPolicy(t, "migrate", found.jobs["migrate"].Spec, []int{2})
	})
}

// wantPolicy checks that these exit codes of a job's container end it, and that an attempt that the cluster ended does not count.
func wantPolicy(t *testing.T, container string, job batch.JobSpec, codes []int) {
	t.Helper()
	if job.Template.Spec.RestartPolicy != core.RestartPolicyNever || job.PodFailurePolicy == nil || len(job.PodFailurePolicy.Rules) != 2 {
		t.Fatalf("%s: the job has no pod failure policy, or restarts containers", container)
	}
	disrupted, ended := job.PodFailurePolicy.Rules[0], job.PodFailurePolicy.Rules[1]
	if disrupted.Action != batch.PodFailurePolicyActionIgnore || len(disrupted.OnPodConditions) != 1 ||
		disrupted.OnPodConditions[0].Type != core.DisruptionTarget || disrupted.OnPodConditions[0].Status != core.ConditionTrue {
		t.Errorf("%s: an attempt that the cluster ends counts: %v", container, disrupted)
	}
	on := ended.OnExitCodes
	if ended.Action != batch.PodFailurePolicyActionFailJob || on == nil || *on.ContainerName != container ||
		on.Operator != batch.PodFailurePolicyOnExitCodesOpIn {
		t.Fatalf("%s: the second rule is %v", container, ended)
	}
	var got []int
	for _, code := range on.Values {
		got = append(got, int(code))
	}
	if !slices.Equal(got, codes) {
		t.Errorf("%s: the exit codes %v end the job, want %v", container, got, codes)
	}
	if job.Template.Spec.Containers[0].Name != container {
		t.Errorf("the policy is for the container %s, and there is %s", container, job.Template.Spec.Containers[0].Name)
	}
}

// TestArgumentsOfETL runs etl with the arguments of the CronJob and of the Job, without a dump and without a database.
func TestArgumentsOfETL(t *testing.T) {
	each(t, func(t *testing.T, found *objects) {
		run := found.workload(t, "etl").container(t)
		args := slices.Clone(run.Args)
		for _, mount := range run.VolumeMounts {
			// In place of the volume.
			directory, used := t.TempDir(), 0
			for i, arg := range args {
				if flag, path, _ := strings.Cut(arg, "="); path == mount.MountPath || strings.HasPrefix(path, mount.MountPath+"/") {
					args[i] = flag + "=" + directory + strings.TrimPrefix(path, mount.MountPath)
					used++
				}
			}
			if used == 0 {
				t.Errorf("no flag uses the volume at %s", mount.MountPath)
			}
		}
		if paths := regexp.MustCompile(`=/(?:dump|var/lib|temp)`).FindAllString(strings.Join(args, " "), -1); len(paths) > 0 {
			t.Errorf("a flag has a path that is on no volume: %v", args)
		}
		command := program(t, "etl", args...)
		gateways := variable(t, run, "GATEWAYS")
		command.Env = append(command.Env, "GATEWAYS="+gateways)
		if code, out := exitCode(command); code != 3 || !strings.Contains(string(out), "current") {
			t.Errorf("etl %v: exit code %d, want 3 for a missing dump\n%s", args, code, out)
		}
		migrate := program(t, "etl", found.workload(t, "migrate").container(t).Args...)
		if code, out := exitCode(migrate); code != 4 {
			t.Errorf("%v: exit code %d, want 4 for a missing database\n%s", migrate.Args, code, out)
		}
		// All pods of the gateway: a name without an address of its own.
		target, err := url.Parse(gateways)
		if err != nil {
			t.Fatal(err)
		}
		service := found.services[target.Hostname()]
		if service == nil || service.Spec.ClusterIP != core.ClusterIPNone || target.Scheme != "dns+http" ||
			target.Port() != fmt.Sprint(service.Spec.Ports[0].Port) {
			t.Errorf("%s is not the name of all pods of the gateway", gateways)
		}
	})
	timer := regexp.MustCompile(`(?m)^OnCalendar=\*-\*-\* (\d\d):(\d\d):00 UTC$`).FindStringSubmatch(read(t, "../systemd/systemscale-etl.timer"))
	cron := render(t, "small").cronJobs["etl"].Spec
	if timer == nil || cron.Schedule != fmt.Sprintf("%s %s * * *", strings.TrimPrefix(timer[2], "0"), strings.TrimPrefix(timer[1], "0")) ||
		*cron.TimeZone != "Etc/UTC" {
		t.Errorf("the schedule is %q in %s, and that of systemd %v", cron.Schedule, *cron.TimeZone, timer)
	}
}

// TestArgumentsOfAPI starts the API with the arguments of the Deployment, on other ports, and ends it.
func TestArgumentsOfAPI(t *testing.T) {
	each(t, func(t *testing.T, found *objects) {
		container := found.workload(t, "api").container(t)
		args := slices.Clone(container.Args)
		for flag, port := range map[string]string{"--listen": "http", "--admin": "admin"} {
			declared := portOf(container, intstr.FromString(port))
			i := slices.Index(args, fmt.Sprintf("%s=:%d", flag, declared))
			if i < 0 {
				t.Fatalf("%v does not have %s with the port %d", args, flag, declared)
			}
			args[i] = flag + "=127.0.0.1:0"
		}
		command := program(t, "api", args...)
		log, err := command.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		serving := 0
		for lines := bufio.NewScanner(log); lines.Scan(); {
			t.Log(lines.Text())
			if strings.Contains(lines.Text(), "serving the ") {
				if serving++; serving == 2 {
					if err := command.Process.Signal(syscall.SIGTERM); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		if err := command.Wait(); err != nil || serving != 2 {
			t.Errorf("api %v: %v, serving on %d ports", args, err, serving)
		}
	})
}

// runtimeVariables are read by the runtime of Go.
var runtimeVariables = []string{"GOMAXPROCS", "GOMEMLIMIT"}

// TestVariables checks that the programs read the variables of their containers.
func TestVariables(t *testing.T) {
	each(t, func(t *testing.T, found *objects) {
		for name, help := range map[string][]string{
			"etl": {"etl", "run", "--help"}, "migrate": {"etl", "migrate", "--help"}, "api": {"api", "--help"}, "gateway": {"infra/gateway", "--help"},
		} {
			_, text := exitCode(program(t, help[0], help[1:]...))
			for _, variable := range found.workload(t, name).container(t).Env {
				if !slices.Contains(runtimeVariables, variable.Name) && !strings.Contains(string(text), "($"+variable.Name+")") {
					t.Errorf("%s does not read %s:\n%s", name, variable.Name, text)
				}
			}
		}
	})
}
