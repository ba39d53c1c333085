using MPSec.Features.Kernel;
using MPSec.Jobs;

namespace MPSec.Tests.Features.Kernel;

public sealed class KernelBuildLogTests
{
    [Fact]
    public void Take_LinesOfMake_CountsObjectsOnceWarningsAndErrors()
    {
        var log = new KernelBuildLog();
        foreach (var line in (string[])
        [
            "make: Entering directory '/x'", "  HOSTCC  scripts/basic/fixdep", "  CC      init/main.o", "  CC [M]  net/mptcp/mptcp_diag.o", "  AS      arch/x86/entry/entry.o", "  CC      init/main.o",
            "  AR      init/built-in.a", "net/x.c:10:5: warning: unused variable 'flags' [-Wunused-variable]", "net/x.c:12:1: error: expected ';' before '}' token", "make[3]: *** [scripts/Makefile.build:250: net/x.o] Error 1",
        ])
        {
            log.Take(line);
        }

        Assert.Equal((3, 1, 2, "init/main.o"), (log.Done, log.Warnings, log.ErrorCount, log.Current));
        Assert.Equal("make all failed: this compiler does not take this source; an older kernel may need an older compiler (net/x.c:12:1: error: expected ';' before '}' token)", log.Explain("make all", 2));
    }

    [Theory]
    [InlineData("fatal error: closing dependency file crypto/.jitterentropy.o.d: No space left on device", "the disk is full")]
    [InlineData("gcc: fatal error: Killed signal terminated program cc1", "memory ran out")]
    [InlineData("/bin/sh: 1: flex: not found", "set up the packages of the group kernel")]
    [InlineData("make[4]: dh_listpackages: No such file or directory", "(make[4]: dh_listpackages: No such file or directory)")]
    [InlineData("make[2]: *** No rule to make target 'debian/certs/debian-uefi-certs.pem', needed by 'certs/x509_certificate_list'.  Stop.", "keys of the distribution")]
    [InlineData("scripts/sign-file.c:25:10: fatal error: openssl/opensslv.h: No such file or directory", "a header is missing")]
    [InlineData("BTF: .tmp_vmlinux.btf: pahole (pahole) is not available", "missing")]
    [InlineData("make: *** No rule to make target 'all'.  Stop.", "the source lacks a file")]
    public void Explain_KnownSign_SaysWhatToDo(string line, string expected)
    {
        var log = new KernelBuildLog();
        log.Take(line);
        Assert.Contains(expected, log.Explain("make all", 2), StringComparison.Ordinal);
    }

    [Fact]
    public void Explain_NothingKnown_SaysTheExitCode() => Assert.Contains("exit code 137", new KernelBuildLog().Explain("make all", 137), StringComparison.Ordinal);

    [Theory]
    [InlineData("set -e;  echo '  CC      init/main.o';   gcc -c", "init/main.o")]
    [InlineData("set -e;  echo '  CC [M]  net/sched/sch_tbf.o';   gcc", "net/sched/sch_tbf.o")]
    [InlineData("echo '  AR      init/built-in.a'", null)]
    public void Planned_LineOfADryRun_TellsTheObject(string line, string? expected) => Assert.Equal(expected, KernelBuildLog.Planned(line));

    [Fact]
    public void Progress_HalfOfTheObjects_TellsPercentAndTimeLeft()
    {
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider();
        var (log, progress) = (new KernelBuildLog(), new KernelBuildProgress(200, time));
        string? words = null;
        for (var i = 0; i < 100; i++)
        {
            log.Take($"  CC      a/{i}.o");
            words = progress.Tell(log);
            time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.Equal((50, "100 of 200 objects, about 2 min left"), (progress.Percent, words));
    }

    [Fact]
    public void Stages_RunInTheMiddle_AreDrawn()
    {
        var at = DateTimeOffset.UnixEpoch;
        JobRunStep Step(int position, string key, JobStepState state, string? outcome = null) => new() { Position = position, Key = key, State = state, Outcome = outcome, StartedAt = at, FinishedAt = state == JobStepState.Done ? at.AddSeconds(10) : null };
        var run = new JobRun
        {
            Kind = "kernel-build", Parameters = "{}", RequestedBy = "mina",
            Steps = [Step(0, "preflight", JobStepState.Done, "2 compilers"), Step(1, "source", JobStepState.Done, "6.1.192"), Step(2, "configure", JobStepState.Done, "846 changes"), Step(3, "compile", JobStepState.Running), new() { Position = 4, Key = "package" }, new() { Position = 5, Key = "prove" }, new() { Position = 6, Key = "keep" }],
        };
        var stages = KernelStages.Of(run, 0, failed: false, at.AddSeconds(60));
        Assert.Equal(["download:Done", "configure:Done", "compile:Now", "package:Waiting", "prove:Waiting", "install:Waiting", "boot:Waiting", "verify:Waiting", "default:Waiting"], stages.Select(s => $"{s.Key}:{s.State}"));
        Assert.Equal(("6.1.192", TimeSpan.FromSeconds(60)), (stages[0].Detail, stages[2].Took!.Value));
        run.Steps[3].State = JobStepState.Failed;
        Assert.Equal(KernelStageState.Failed, KernelStages.Of(run, 0, failed: false, at)[2].State);
        Assert.Equal(["Done", "Done", "Failed", "Waiting"], KernelStages.Of(run, 2, failed: true, at).TakeLast(4).Select(s => s.State.ToString()));
        Assert.All(KernelStages.Of(null, 0, failed: false, at), s => Assert.Equal(KernelStageState.Waiting, s.State));
    }
}
