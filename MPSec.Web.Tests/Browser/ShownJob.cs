using MPSec.Features.Kernel;
using MPSec.Jobs;
using MPSec.Linux.Processes;

namespace MPSec.Tests.Browser;

/// <summary>A job to look at: prints lines by a real supervised program and alters nothing.</summary>
internal sealed class ShownJob : IJobKind
{
    public static IJobKind Kind { get; } = new ShownJob();

    public string Key => "shown";

    public Type Texts => typeof(SetUpPackagesTexts);

    public string TitleKey => "Title";

    public IReadOnlyList<JobStep> Steps { get; } =
    [
        new("check", "StepCheck", context =>
        {
            context.Outcome = "3 of 8 missing";
            return Task.CompletedTask;
        }),
        new("lists", "StepLists", async context =>
        {
            var lines = 0;
            await context.RunProgramAsync("print", new ProgramCall("/bin/sh", "-c", "i=1; while [ $i -le 120 ]; do echo \"line $i <b>not markup</b>\"; i=$((i+1)); sleep 0.03; done"), line => context.Report(++lines / 1.2, line));
        }),
        new("install", "StepInstall", context => Task.Delay(TimeSpan.FromMilliseconds(300), context.CancellationToken)),
        new("verify", "StepVerify", _ => throw new JobFailedException("nothing was there; install it")),
    ];

    public JobOffer? Offer(JobRun failed) => new(Key, SetUpPackagesParameters.Usual, Texts, "OfferRepair");

    public bool Resumable => true;

    public JobLane Lane => JobLane.Long;

    public int MostAtOnce => 1;

    public IReadOnlyList<string> Roles => ["Administrator"];

    public Type ParameterType => typeof(SetUpPackagesParameters);

    public object UsualParameters => SetUpPackagesParameters.Usual;
}
