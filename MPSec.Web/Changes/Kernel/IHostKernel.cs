namespace MPSec.Changes.Kernel;

/// <summary>The hands of the one door: reads what an operation would overwrite, and applies it. Tests put a fake here; a root helper process may follow.</summary>
public interface IHostKernel
{
    /// <summary>
    /// What undoes <paramref name="operation"/>, in the order to apply it, from the state as it is now; empty when the operation would change nothing.
    /// </summary>
    /// <exception cref="ChangeException">The operation cannot work in this state; nothing was changed.</exception>
    IReadOnlyList<HostOperation> InverseOf(HostOperation operation);

    /// <summary>Applies <paramref name="operation"/>; when its result is there already, nothing happens.</summary>
    /// <exception cref="ChangeException">The kernel refused; the sentence holds its reason.</exception>
    void Apply(HostOperation operation);

    /// <summary>
    /// The present state of what the operations can alter, as sorted lines without counters and indices: equal lines mean equal state.
    /// </summary>
    /// <exception cref="ChangeException">It cannot be read.</exception>
    IReadOnlyList<string> Facts(IReadOnlyCollection<HostOperation> operations);
}
