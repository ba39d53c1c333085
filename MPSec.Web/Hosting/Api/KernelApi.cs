using Microsoft.AspNetCore.Http.HttpResults;
using MPSec.Features.Kernel;
using MPSec.Hosting.Cli;

namespace MPSec.Hosting.Api;

/// <summary>The Kernel page in the API, under <c>/api/v1/kernel</c>; all gateways share the kernel.</summary>
public static class KernelApi
{
    /// <summary>Maps the endpoints.</summary>
    public static IEndpointRouteBuilder MapKernelApi(this IEndpointRouteBuilder app)
    {
        var kernel = app.MapApi("kernel", "Kernel");
        kernel.MapGet("report", async (KernelReportService service, CancellationToken aborted) => TypedResults.Json(await service.ReadAsync(aborted), MPSecCommandLine.Json))
            .WithSummary("What the running kernel can and cannot do, with evidence, as mpsec kernel report --json prints it").Answers<KernelReport>();
        kernel.MapGet("profiles", () => TypedResults.Json(KernelProfileTable.All.Select(p => new KernelProfileAnswer(p.Key, p.Base, [.. p.Fragment.Options.Select(o => o.ToString())])), MPSecCommandLine.Json))
            .WithSummary("Profiles of kernels that can be built: a base and the options laid over it").Answers<IReadOnlyList<KernelProfileAnswer>>();
        kernel.MapGet("built", (KernelBuildStore store) => TypedResults.Json(store.All(), MPSecCommandLine.Json))
            .WithSummary("Kernels that were built here, the newest first, with where they come from and what they proved").Answers<IReadOnlyList<KernelProvenance>>();
        kernel.MapGet("built/{run:long}/{file}", File).WithSummary("A file of a kernel that was built here: a package, its configuration, its proof")
            .AnswersText("application/octet-stream", StatusCodes.Status404NotFound);
        return app;
    }

    private static Results<PhysicalFileHttpResult, ProblemHttpResult> File(KernelBuildStore store, HttpResponse response, long run, string file)
    {
        if (store.PathOf(run, file) is not { } path)
        {
            return TypedResults.Problem($"there is no file '{file}' of a kernel that job {run} built", statusCode: StatusCodes.Status404NotFound);
        }

        response.Headers.XContentTypeOptions = "nosniff";
        return TypedResults.PhysicalFile(path, "application/octet-stream", file);
    }
}

/// <summary>A profile as the API shows it.</summary>
/// <param name="Key">Its name.</param>
/// <param name="Base">What it begins with.</param>
/// <param name="Options">What is laid over it, as lines of a configuration.</param>
public sealed record KernelProfileAnswer(string Key, KernelBase Base, IReadOnlyList<string> Options);
