using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using MPSec.Data;

namespace MPSec.Changes;

// The operations of a change, written by prepared statements: a plan may have hundreds, and a tracked entity for each costs several times as much.
public sealed partial class ChangeJournal
{
    private static Task InsertStepsAsync(MPSecDbContext context, ChangePlan plan, CancellationToken cancellationToken) => RepeatAsync(
        context,
        "INSERT INTO ChangeStep (IntentId, Position, Gateway, Interface, Operation, Phase) VALUES ($change, $position, $gateway, $interface, $operation, $phase)",
        ["$change", "$position", "$gateway", "$interface", "$operation", "$phase"],
        plan.Operations.Select((operation, position) => (object?[])
            [plan.Id, position, operation.Gateway.Value, (operation as SetLinkState)?.Interface.Value, OperationJson.Write(operation), nameof(StepPhase.Planned)]),
        cancellationToken);

    private static Task WriteInversesAsync(MPSecDbContext context, Guid change, int first, IReadOnlyList<IReadOnlyList<HostOperation>> inverses, CancellationToken cancellationToken) => RepeatAsync(
        context,
        "UPDATE ChangeStep SET Inverse = $inverse, Phase = $phase WHERE IntentId = $change AND Position = $position",
        ["$change", "$position", "$inverse", "$phase"],
        inverses.Select((inverse, i) => (object?[])[change, first + i, OperationJson.WriteMany(inverse), nameof(StepPhase.Intended)]),
        cancellationToken);

    /// <summary>The operations of a change as they are written, in order.</summary>
    private static Task<List<string>> OperationsOfAsync(MPSecDbContext context, Guid change, CancellationToken cancellationToken) =>
        context.Set<ChangeStep>().AsNoTracking().Where(s => s.IntentId == change).OrderBy(s => s.Position).Select(s => s.Operation).ToListAsync(cancellationToken);

    private static async Task RepeatAsync(MPSecDbContext context, string sql, string[] names, IEnumerable<object?[]> rows, CancellationToken cancellationToken)
    {
        var command = context.Database.GetDbConnection().CreateCommand();
        await using (command)
        {
            command.Transaction = context.Database.CurrentTransaction!.GetDbTransaction();
#pragma warning disable CA2100 // Constants of this file.
            command.CommandText = sql;
#pragma warning restore CA2100
            foreach (var name in names)
            {
                var parameter = command.CreateParameter();
                parameter.ParameterName = name;
                command.Parameters.Add(parameter);
            }

            foreach (var row in rows)
            {
                for (var i = 0; i < row.Length; i++)
                {
                    command.Parameters[i].Value = row[i] ?? DBNull.Value;
                }

                await command.ExecuteNonQueryAsync(cancellationToken);
            }
        }
    }
}
