using MPSec.Features.Kernel;
using MPSec.Hosting.Cli;

namespace MPSec.Hosting.Api;

/// <summary>The Kernel page in the API, under <c>/api/v1/kernel</c>; all gateways share the kernel.</summary>
public static class KernelApi
{
    /// <summary>Maps the endpoint.</summary>
    public static IEndpointRouteBuilder MapKernelApi(this IEndpointRouteBuilder app)
    {
        app.MapApi("kernel", "Kernel").MapGet("report", async (KernelReportService service, CancellationToken aborted) =>
                TypedResults.Json(await service.ReadAsync(aborted), MPSecCommandLine.Json))
            .WithSummary("What the running kernel can and cannot do, with evidence, as mpsec kernel report --json prints it").Answers<KernelReport>();
        return app;
    }
}
