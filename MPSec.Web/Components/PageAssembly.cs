using System.Reflection;

namespace MPSec.Components;

/// <summary>Another assembly with pages, registered as a singleton.</summary>
public sealed record PageAssembly(Assembly Assembly);
