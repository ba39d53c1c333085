using Microsoft.AspNetCore.Http.HttpResults;
using MPSec.Changes;

namespace MPSec.Hosting.Api;

/// <summary>What the one door refuses, as a problem with one sentence (RFC 9457).</summary>
internal static class ApiProblem
{
    public static ProblemHttpResult Of(ChangeException e) => TypedResults.Problem(e.Message, statusCode: e.Fault switch
    {
        ChangeFault.NotPermitted => StatusCodes.Status403Forbidden,
        ChangeFault.NotFound => StatusCodes.Status404NotFound,
        ChangeFault.Invalid => StatusCodes.Status400BadRequest,
        _ => StatusCodes.Status409Conflict,
    });
}
