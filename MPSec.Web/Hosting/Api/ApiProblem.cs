using Microsoft.AspNetCore.Http.HttpResults;
using MPSec.Changes;

namespace MPSec.Hosting.Api;

/// <summary>What the one door refuses, as a problem with one sentence (RFC 9457).</summary>
internal static class ApiProblem
{
    /// <summary>Runs <paramref name="act"/>; what is refused becomes a problem.</summary>
    public static async Task<IResult> TryAsync(Func<Task<IResult>> act)
    {
        try
        {
            return await act();
        }
        catch (ChangeException e)
        {
            return Of(e);
        }
    }

    public static ProblemHttpResult Of(ChangeException e) => TypedResults.Problem(e.Message, statusCode: e.Fault switch
    {
        ChangeFault.NotPermitted => StatusCodes.Status403Forbidden,
        ChangeFault.NotFound => StatusCodes.Status404NotFound,
        ChangeFault.Invalid => StatusCodes.Status400BadRequest,
        _ => StatusCodes.Status409Conflict,
    });
}
